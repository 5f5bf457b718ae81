"""Sets in line: all nodes at once or none, who passes whom meanwhile, and how waiting ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from inventory_service import asking
from inventory_service.allocation_requests import deploy
from inventory_service.line import catch_up
from inventory_service.problems import Conflict
from tests.service.full_pool import free as _free
from tests.service.full_pool import full as _full
from tests.service.full_pool import line as _line
from tests.service.world import Work, World


def _set(world: World, name: str = "web", expect: int = 202, **wanted: Any) -> Any:
    body = {"deploy": False, "wait": True, "name": name, "count": 2} | wanted
    return world.ask("POST", "/allocation-sets", body, token=world.user, expect=expect)


def _single(world: World, name: str, expect: int = 202, **wanted: Any) -> Any:
    return world.acquire(name, image=None, deploy=False, wait=True, expect=expect, **wanted)


def _held(world: World, name: str) -> dict[str, str | None]:
    return {one["name"]: one["node"] for one in world.get(f"/allocation-sets/{name}")["items"]}


def test_all_of_them_in_the_transaction_that_frees_the_last(still_world: World) -> None:
    world = _full(still_world, "m1", "m2", "m3")
    asked = _set(world, count=3, hostname="db.example.org", note="a cluster")
    assert (asked["name"], asked["place"], len(asked["items"])) == ("web", 1, 1)
    [one] = asked["items"]
    assert (one["name"], one["set"], one["state"], one["node"], one["place"]) == ("web-1", "web", "waiting", None, 1)
    assert _set(world, count=3, expect=200) == asked
    _free(world, "m1", "m2")
    assert _held(world, "web") == {"web-1": None}
    assert {world.get(f"/nodes/{name}")["state"] for name in ("m1", "m2")} == {"ready"}
    _free(world, "m3")
    got = world.get("/allocation-sets/web", token=world.user)
    assert got["place"] is None
    assert sorted(one["node"] for one in got["items"]) == ["m1", "m2", "m3"]
    assert [(one["name"], one["state"], one["hostname"], one["note"]) for one in got["items"]] == [
        (f"web-{number}", "allocated", f"db-{number}.example.org", "a cluster") for number in (1, 2, 3)
    ]
    assert {"node.ready", "node.allocated"} <= {one["kind"] for one in world.events(node="m3")}
    assert _line(world) == {}
    ended = world.ask("DELETE", "/allocation-sets/web", token=world.user, expect=202)
    assert len(ended["items"]) == 3


def test_a_single_passes_a_set_that_cannot_be_met_yet_and_no_other(still_world: World) -> None:
    world = _full(still_world, "m1", "m2", "m3")
    _set(world, "pair"), _single(world, "one")
    _free(world, "m1")
    assert world.get("/allocations/one")["node"] == "m1"
    _single(world, "two")
    assert _line(world) == {"pair-1": 1, "two": 2}
    world.inventoried_node("spare").result()
    world.settle()
    assert world.get("/allocations/two")["node"] == "spare"
    _free(world, "m2")
    assert _line(world) == {"pair-1": 1}
    late = _single(world, "late", expect=201)  # what the pair cannot use yet is had at once
    assert late["node"] == "m2"
    world.ask("DELETE", "/allocations/late")
    _single(world, "behind")
    Work(world, "m2").release()
    world.settle()
    assert world.get("/allocations/behind")["node"] == "m2"
    _set(world, "pair", expect=200)
    _free(world, "m2", "m3")
    assert set(_held(world, "pair").values()) == {"m2", "m3"}


def test_the_first_set_comes_first(still_world: World) -> None:
    world = _full(still_world, "m1", "m2", "m3", "m4")
    _set(world, "a"), _set(world, "b"), _single(world, "c")
    world.ask("DELETE", "/allocations/c")
    _free(world, "m1", "m2")
    assert set(_held(world, "a").values()) == {"m1", "m2"}
    assert _line(world) == {"b-1": 1}
    _free(world, "m3", "m4")
    assert set(_held(world, "b").values()) == {"m3", "m4"}


def test_fewer_are_enough_and_what_stands_near_one_another(still_world: World) -> None:
    world = _full(still_world, "a1", "a2", zone="a")
    _full(world, "b1", "b2", zone="b")
    _set(world, "near", same="zone")
    _set(world, "few", count=4, min_count=2, spread="zone")
    _free(world, "a1")
    assert _held(world, "near") == {"near-1": None}
    _free(world, "b1")
    assert set(_held(world, "few").values()) == {"a1", "b1"}
    _free(world, "a1")
    assert _held(world, "near") == {"near-1": None}
    _free(world, "a2")
    assert set(_held(world, "near").values()) == {"a1", "a2"}


def test_elsewhere_than_others_and_by_an_expression(still_world: World) -> None:
    world = _full(still_world, "a1", "a2", zone="a")
    _full(world, "b1", "b2", zone="b")
    world.ready_node("c1", zone="c")
    mine = world.acquire("mine", image=None, deploy=False, constraints={"node": "c1"})
    _set(world, "else", not_with="mine", spread="zone", constraints={"where": "name != 'a1' and cpus > 1"})
    assert mine["node"] == "c1"
    _free(world, "a1", "b1")
    assert _held(world, "else") == {"else-1": None}
    _free(world, "a2")
    assert set(_held(world, "else").values()) == {"a2", "b1"}


def test_what_could_never_be_does_not_wait(still_world: World) -> None:
    world = _full(still_world, "a1", zone="a")
    _full(world, "b1", zone="b")
    assert _set(world, count=3, expect=409)["possible"] == "never"
    refused = _set(world, same="zone", expect=409)
    assert "of one zone at most 0 fit now, and 1 at best" in refused["detail"]
    world.ask("PUT", "/quotas/default/alice", {"nodes": 1})
    assert _set(world, expect=409)["type"] == "quota-used-up"
    assert _set(world, wait_timeout="soon", expect=422)["field"] == "wait_timeout"
    assert _line(world) == {}


def test_one_waits_for_ones_quota_too(still_world: World) -> None:
    world = still_world
    for name in ("m1", "m2", "m3"):
        world.ready_node(name)
    world.ask("PUT", "/quotas/default/alice", {"nodes": 2})
    node = world.acquire("mine", image=None, deploy=False)["node"]
    assert _set(world)["place"] == 1
    _free(world, node)
    assert len(_held(world, "web")) == 2
    assert None not in _held(world, "web").values()


def test_the_quota_of_all_together_is_kept(still_world: World) -> None:
    world = _full(still_world, "m1", "m2", cpus=4)
    world.ask("PUT", "/quotas/default/alice", {"cpus": 8})
    _set(world)
    world.ask("PUT", "/quotas/default/alice", {"cpus": 6})
    _free(world, "m1", "m2")
    assert _held(world, "web") == {"web-1": None}
    world.ask("PUT", "/quotas/default/alice", {"cpus": 8})
    assert set(_held(world, "web").values()) == {"m1", "m2"}


def test_what_all_together_could_never_be_within_the_quota_does_not_wait(still_world: World) -> None:
    world = still_world
    for name in ("m1", "m2", "m3"):
        world.ready_node(name, cpus=4)
    world.ask("PUT", "/quotas/default/alice", {"cpus": 7})
    assert _set(world, expect=409)["type"] == "quota-used-up"
    world.ask("PUT", "/quotas/default/alice", {"cpus": 8})
    world.acquire("mine", image=None, deploy=False)
    assert _set(world)["place"] == 1
    assert _set(world, "few", count=3, min_count=1, expect=201)["items"][0]["node"]
    assert len(_held(world, "few")) == 1
    world.ask("PUT", "/quotas/default/alice", {"cpus": None})
    assert _line(world) == {"web-1": 1}


def test_a_set_that_fails_half_way_leaves_nothing_and_the_next_one_is_served(still_world: World) -> None:
    world = _full(still_world, "m1", "m2")
    world.image()
    login = {"password_hash": "$6$" + "a" * 20}
    for name in ("a", "b"):
        _set(world, name, image="debian-12", deploy=True, credentials=login, constraints={"mem": "1G" if name == "a" else "2G"})
    tried: list[str] = []

    def broken_once(session: Any, services: Any, allocation: Any, *more: Any, **named: Any) -> Any:
        """The second deploy fails after the first one was asked for."""
        tried.append(allocation.name)
        if tried == ["a-1", "a-2"]:
            raise Conflict("something is in the way")
        return deploy(session, services, allocation, *more, **named)

    with patch.object(asking, "deploy", broken_once):
        _free(world, "m1", "m2")
    assert tried == ["a-1", "a-2", "b-1", "b-2"]
    assert set(_held(world, "b").values()) == {"m1", "m2"}
    assert _line(world) == {"a-1": 1}


@pytest.mark.parametrize("path", ["/allocation-sets/web", "/allocations/web-1"])
def test_cancel(still_world: World, path: str) -> None:
    world = _full(still_world, "m1", "m2")
    _set(world)
    world.ask("DELETE", path, token=world.user)
    ended = world.get("/allocations/web-1")
    assert (ended["state"], ended["reason"]) == ("released", "cancelled by alice")
    world.ask("GET", "/allocation-sets/web", expect=404)
    _free(world, "m1", "m2")
    assert {world.get(f"/nodes/{name}")["state"] for name in ("m1", "m2")} == {"ready"}


def test_waiting_has_an_end(still_world: World, clock_at) -> None:
    world = _full(still_world, "m1", "m2")
    _set(world, wait_timeout="2h")
    for hours, state in ((1, "waiting"), (2.1, "released")):
        clock_at(hours=hours)
        world.keep_time()
        assert world.get("/allocations/web-1")["state"] == state
    assert world.get("/allocations/web-1")["reason"] == "nothing became free for it in time"


def test_lease_and_deploy_begin_with_the_nodes(still_world: World, clock_at) -> None:
    world = _full(still_world, "m1", "m2")
    world.image()
    login = {"password_hash": "$6$" + "a" * 20}
    assert _set(world, image="debian-12", deploy=True, expect=422)["field"] == "credentials.ssh_keys"
    _set(world, image="debian-12", deploy=True, lease="8h", credentials=login)
    began = clock_at(hours=5)
    _free(world, "m1", "m2")
    items = world.get("/allocation-sets/web")["items"]
    assert [one["state"] for one in items] == ["deploying"] * 2
    assert {one["held_since"] for one in items} == {began.isoformat().replace("+00:00", "Z")}
    for name in ("m1", "m2"):
        work = Work(world, name)
        assert work.claim["kind"] == "deploy"
        work.deploy()
    world.settle()
    assert {one["state"] for one in world.get("/allocation-sets/web")["items"]} == {"active"}


def test_a_name_that_somebody_took_meanwhile_is_waited_for_and_harms_nobody(still_world: World) -> None:
    world = _full(still_world, "m1", "m2", "m3")
    world.ready_node("mine")
    _set(world, count=3, constraints={"not_node": "mine"})
    world.acquire("web-2", image=None, deploy=False, token=world.other)
    _free(world, "m1", "m2", "m3")
    assert {world.get(f"/nodes/{name}")["state"] for name in ("m1", "m2", "m3")} == {"ready"}
    assert _held(world, "web") == {"web-1": None}
    _free(world, "mine")
    catch_up(world.services)
    assert set(_held(world, "web").values()) == {"m1", "m2", "m3"}


def test_two_freed_at_the_same_moment_are_seen_by_whoever_commits_last(still_world: World) -> None:
    world = _full(still_world, "m1", "m2")
    _set(world)
    works = []
    for name in ("m1", "m2"):
        world.ask("DELETE", f"/allocations/bob-{name}")
        works.append(Work(world, name))
    for work in works:
        work.release()
    with ThreadPoolExecutor(2) as threads:
        for one in [threads.submit(world.settle) for _unused in range(2)]:
            one.result()
    assert set(_held(world, "web").values()) == {"m1", "m2"}
