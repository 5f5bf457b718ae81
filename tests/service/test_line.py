"""The line: who gets a node that becomes free, what is shown while one waits, and how waiting ends."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from inventory_service.line import catch_up
from tests.service.full_pool import free as _free
from tests.service.full_pool import full as _full
from tests.service.full_pool import line as _line
from tests.service.world import GIB, Work, World


def _ask(world: World, name: str | None = None, expect: int = 202, **wanted: Any) -> Any:
    return world.acquire(name, image=None, deploy=False, wait=True, expect=expect, **wanted)


def test_the_first_in_line_gets_the_node_in_the_transaction_that_frees_it(still_world: World) -> None:
    world = _full(still_world, "m1", "m2")
    waiting = [_ask(world, name) for name in ("a", "b", "c")]
    assert [(one["state"], one["place"], one["node"], one["operation"]) for one in waiting] == [
        ("waiting", number, None, None) for number in (1, 2, 3)
    ]
    assert [one["allocation"] for one in world.events("allocation.waiting")] == ["a", "b", "c"]
    _free(world, "m2")
    got = world.get("/allocations/a")
    assert (got["state"], got["node"], got["place"]) == ("allocated", "m2", None)
    assert _line(world) == {"b": 1, "c": 2}
    assert [one["kind"] for one in world.events(node="m2")][-2:] == ["node.ready", "node.allocated"] or [
        one["kind"] for one in world.events(node="m2")
    ][-3:-1] == ["node.ready", "operation.succeeded"]
    _free(world, "m1")
    assert world.get("/allocations/b")["node"] == "m1"


def test_it_goes_to_the_first_whom_it_fits_and_nobody_overtakes(still_world: World) -> None:
    world = _full(still_world, "small")
    world = _full(world, "large", cpus=16, memory=64 * GIB, tags=["gpu"])
    _ask(world, "huge", constraints={"cpus": 16, "tag": "gpu"})
    _ask(world, "tiny")
    _free(world, "small")
    assert _line(world) == {"huge": 1}
    assert world.get("/allocations/tiny")["node"] == "small"
    _free(world, "large")
    assert world.get("/allocations/huge")["node"] == "large"
    assert _ask(world, "late")["place"] == 1
    _free(world, "small")
    assert world.acquire(image=None, deploy=False, token=world.other, expect=409)["type"] == "nothing-fits"
    assert world.get("/allocations/late")["node"] == "small"


def test_every_way_to_become_ready_serves_the_line(still_world: World) -> None:
    """Commissioned, unlocked, marked as fixed, tags and pool changed."""
    world = _full(still_world, "m0")
    world.add_node("m1")
    _ask(world, "a")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    Work(world, "m1").commission()
    world.settle()
    assert world.get("/allocations/a")["node"] == "m1"
    world.ready_node("m2")
    world.ask("PATCH", "/nodes/m2", {"locked": True})
    _ask(world, "b")
    world.ask("PATCH", "/nodes/m2", {"locked": False})
    assert world.get("/allocations/b")["node"] == "m2"
    world.ready_node("m3")
    world.post("/nodes/m3/state", {"verb": "set_aside", "comment": "smoke"})
    _ask(world, "c")
    world.post("/nodes/m3/state", {"verb": "mark_fixed", "comment": "was a test"})
    assert world.get("/allocations/c")["node"] == "m3"
    world.ready_node("m4")
    world.ask("PATCH", "/nodes/m0", {"tags": ["fast"]})
    _ask(world, "d", constraints={"tag": "fast"})
    world.ask("PATCH", "/nodes/m4", {"tags": ["fast"]})
    assert world.get("/allocations/d")["node"] == "m4"


def test_what_could_never_be_does_not_wait(still_world: World) -> None:
    world = _full(still_world, "m1")
    assert _ask(world, constraints={"cpus": 1000}, expect=409)["type"] == "nothing-fits"
    world.ask("PUT", "/quotas/default/alice", {"cpus": 1})
    assert _ask(world, expect=409)["type"] == "nothing-fits"
    assert _ask(world, lease="8", expect=422)["field"] == "lease"
    assert _ask(world, wait_timeout="soon", expect=422)["field"] == "wait_timeout"
    assert _line(world) == {}


def test_what_is_free_is_had_at_once(still_world: World) -> None:
    still_world.ready_node("m1")
    assert _ask(still_world, "web", expect=201)["state"] == "allocated"
    assert _ask(still_world, "web", expect=200)["node"] == "m1"


def test_the_name_is_taken_and_asking_twice_is_asking_once(still_world: World) -> None:
    world = _full(still_world, "m1")
    _ask(world, "web")
    again = _ask(world, "web", expect=200)
    assert (again["state"], again["place"]) == ("waiting", 1)
    assert _ask(world, "web", token=world.other, expect=409)["field"] == "name"
    for path in ("deploy", "extend"):
        world.post(
            f"/allocations/web/{path}", {"lease": "1h"} if path == "extend" else {}, token=world.user, expect=409
        )


def test_cancel(still_world: World) -> None:
    world = _full(still_world, "m1")
    _ask(world, "a"), _ask(world, "b")
    world.ask("DELETE", "/allocations/a", token=world.user, expect=204)
    ended = world.get("/allocations/a")
    assert (ended["state"], ended["reason"]) == ("released", "cancelled by alice")
    assert world.events("allocation.wait-ended")[0]["allocation"] == "a"
    assert _line(world) == {"b": 1}
    world.ask("DELETE", "/allocations/a", token=world.user, expect=204)
    _free(world, "m1")
    assert world.get("/allocations/b")["node"] == "m1"


def test_operators_see_who_waits_for_their_pool_and_may_cancel_it(still_world: World) -> None:
    world = _full(still_world, "m1", pool="lab")
    _full(world, "m2", pool="other", cpus=16)
    _ask(world, "anywhere"), _ask(world, "in-lab", constraints={"pool": "lab"}), _ask(world, "large", constraints={"cpus": 8})
    carol = world.token("carol", "user")
    assert world.get("/allocations?state=waiting", token=carol)["items"] == []
    for pool, seen in (("lab", {"anywhere", "in-lab"}), ("other", {"anywhere", "in-lab", "large"})):
        world.ask("PUT", "/grants", {"role": "operator", "user": "carol", "pool": pool})
        shown = world.get("/allocations?state=waiting", token=carol)["items"]
        assert {one["name"] for one in shown} == seen
    assert [one["place"] for one in world.get("/allocations?state=waiting", token=carol)["items"]] == [3, 2, 1]
    world.ask("GET", "/allocations/in-lab", token=world.other, expect=404)
    world.ask("DELETE", "/allocations/in-lab", token=carol, expect=204)
    assert world.get("/allocations/in-lab")["reason"] == "cancelled by carol"
    _free(world, "m1")
    assert world.get("/allocations/anywhere")["node"] == "m1"


def test_waiting_has_an_end(still_world: World, clock_at) -> None:
    world = _full(still_world, "m1")
    _ask(world, "a", wait_timeout="2h")
    for hours, state in ((1, "waiting"), (2.1, "released")):
        clock_at(hours=hours)
        world.keep_time()
        assert world.get("/allocations/a")["state"] == state
    assert world.get("/allocations/a")["reason"] == "nothing became free for it in time"
    assert world.events("allocation.wait-ended")[0]["actor"] == "engine"


def test_who_came_first_is_first_whatever_the_clock_does(still_world: World, clock_at) -> None:
    world = _full(still_world, "m1")
    _ask(world, "a")
    clock_at(hours=-1)
    _ask(world, "b")
    assert _line(world) == {"a": 1, "b": 2}
    _free(world, "m1")
    assert world.get("/allocations/a")["node"] == "m1"


def test_the_lease_counts_from_the_node_and_the_deploy_starts_with_it(still_world: World, clock_at) -> None:
    world = _full(still_world, "m1")
    world.image()
    world.acquire("web", wait=True, lease="8h", expect=202)
    assert world.get("/allocations/web")["expires_at"] is None
    began = clock_at(hours=5)
    _free(world, "m1")
    got = world.get("/allocations/web")
    assert got["state"] == "deploying"
    assert got["held_since"] == began.isoformat().replace("+00:00", "Z")
    work = Work(world, "m1")
    assert work.claim["kind"] == "deploy"
    work.deploy()
    world.settle()
    assert world.get("/allocations/web")["state"] == "active"


def test_a_request_that_means_nothing_any_more_ends_and_harms_nobody(still_world: World) -> None:
    world = _full(still_world, "m1")
    world.image("gone")
    world.acquire("a", image="gone", wait=True, expect=202)
    _ask(world, "b")
    world.ask("DELETE", "/images/gone")
    _free(world, "m1")
    ended = world.get("/allocations/a")
    assert ended["state"] == "released"
    assert "gone" in ended["reason"]
    assert world.get("/allocations/b")["node"] == "m1"


def test_who_could_not_log_in_is_told_at_once(still_world: World) -> None:
    world = _full(still_world, "m1")
    world.image()
    refused = world.acquire("a", wait=True, credentials={}, expect=422)
    assert refused["field"] == "credentials.ssh_keys"


def test_one_waits_for_ones_quota_too(still_world: World) -> None:
    world = still_world
    for name in ("m1", "m2"):
        world.ready_node(name)
    world.ask("PUT", "/quotas/default/alice", {"nodes": 1})
    node = world.acquire("a", image=None, deploy=False)["node"]
    assert _ask(world, "b")["state"] == "waiting"
    assert world.acquire("x", image=None, deploy=False, token=world.other)["state"] == "allocated"
    world.ask("DELETE", "/allocations/a")
    Work(world, node).release()
    world.settle()
    assert world.get("/allocations/b")["node"] == node
    assert _ask(world, "c")["state"] == "waiting"
    _free(world, "m2" if node == "m1" else "m1")
    assert world.get("/allocations/c")["state"] == "waiting"
    world.ask("PUT", "/quotas/default/alice", {"nodes": 2})
    assert world.get("/allocations/c")["state"] == "allocated"


def test_more_room_in_a_quota_is_used_for_the_best_of_all_free_nodes_in_the_order_of_the_line(still_world: World) -> None:
    world = still_world
    world.ready_node("small")
    world.ready_node("large", cpus=16)
    world.ask("PUT", "/quotas/default/alice", {"nodes": 1})
    world.acquire("a", image=None, deploy=False, constraints={"node": "large"})
    _ask(world, "b")
    _ask(world, "c", constraints={"cpus": 16}, token=world.other)
    _ask(world, "d")
    _free(world, "large")
    assert (world.get("/allocations/b")["node"], world.get("/allocations/c")["node"]) == ("small", "large")
    assert _line(world) == {"d": 1}


def test_a_long_poll_ends_when_the_node_is_there(world: World) -> None:
    _full(world, "m1")
    _ask(world, "a")
    began = time.monotonic()
    assert world.get("/allocations/a?wait=1", token=world.user)["state"] == "waiting"
    assert time.monotonic() - began >= 1
    with ThreadPoolExecutor(1) as threads:
        polled = threads.submit(world.get, "/allocations/a?wait=30", token=world.user)
        world.ask("DELETE", "/allocations/bob-m1")
        Work(world, "m1").release()
        assert polled.result(timeout=30)["state"] == "allocated"


def test_what_nobody_offered_is_found_by_looking_at_the_whole_line(still_world: World) -> None:
    world = still_world
    world.image("one", arch="arm64")
    world.ready_node("m1")
    _full(world, "m2", arch="arm64")
    world.acquire("a", image="one", wait=True, expect=202)
    world.image("one", arch="amd64")
    assert world.get("/allocations/a")["state"] == "waiting"
    catch_up(world.services)
    assert world.get("/allocations/a")["node"] == "m1"


@pytest.mark.parametrize("freed", [1, 4])
def test_joining_and_freeing_at_the_same_moment_leaves_nobody_waiting_beside_a_free_node(
    still_world: World, freed: int
) -> None:
    world = _full(still_world, *(f"m{number}" for number in range(freed)))
    works = []
    for number in range(freed):
        world.ask("DELETE", f"/allocations/bob-m{number}")
        works.append(Work(world, f"m{number}"))
    for work in works:
        work.release()

    def ask(number: int) -> int:
        status: int = world.call(
            "POST", "/allocations", {"deploy": False, "wait": True, "name": f"w{number}"}, token=world.user
        ).status_code
        return status

    with ThreadPoolExecutor(freed + 1) as threads:
        asked = [threads.submit(ask, number) for number in range(freed)]
        world.settle()
        assert {one.result() for one in asked} <= {201, 202}
    assert _line(world) == {}
    assert {world.get(f"/nodes/m{number}")["state"] for number in range(freed)} == {"allocated"}
