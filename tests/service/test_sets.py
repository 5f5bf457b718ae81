"""Several nodes at once, expressions, preferences between requests, and dry runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.world import GIB, World


def _rows(world: World, *zones: str) -> None:
    """Ready nodes a1, a2, ..., b1, ...; the first of a zone is the smallest."""
    for zone in zones:
        count, name = int(zone[1:]), zone[0]
        for number in range(1, count + 1):
            world.ready_node(f"{name}{number}", zone=name, memory=number * GIB)


def _set(world: World, name: str | None = None, *, expect: int = 201, **wanted: Any) -> Any:
    token = wanted.pop("token", world.user)
    return world.ask("POST", "/allocation-sets", {"deploy": False, "name": name} | wanted, token=token, expect=expect)


def _nodes(answer: dict[str, Any]) -> list[str]:
    return [one["node"] for one in answer["items"]]


@pytest.fixture
def rows(still_world: World) -> World:
    still_world.start_engine()
    _rows(still_world, "a3", "b2", "c1")
    still_world.stop_engine()
    return still_world


def test_all_or_nothing(rows: World) -> None:
    world = rows
    made = _set(world, "web", count=4)
    assert _nodes(made) == ["a1", "b1", "c1", "a2"]
    assert [(one["name"], one["set"], one["hostname"]) for one in made["items"][:2]] == [
        ("web-1", "web", "web-1"),
        ("web-2", "web", "web-2"),
    ]
    assert len(world.events("node.allocated")) == 4
    assert _nodes(_set(world, "web", count=4, expect=200)) == _nodes(made)
    assert _nodes(world.get("/allocation-sets/web", token=world.user)) == _nodes(made)
    assert len(world.get("/allocations?set=web")["items"]) == 4

    refused = _set(world, count=3, expect=409)
    assert (refused["type"], refused["fitting"], refused["possible"]) == ("nothing-fits", 2, "later")
    assert _set(world, count=7, expect=409)["possible"] == "never"
    assert {node["state"] for node in world.get("/nodes")["items"] if node["name"] in ("a3", "b2")} == {"ready"}
    assert _nodes(_set(world, "few", count=3, min_count=2)) == ["b2", "a3"]

    assert _set(world, "web", count=1, token=world.other, expect=409)["field"] == "name"
    assert _set(world, count=1, min_count=2, expect=422)["field"] == "min_count"
    assert _set(world, count=0, expect=422)
    world.ask("GET", "/allocation-sets/web", token=world.other, expect=404)

    released = world.ask("DELETE", "/allocation-sets/web", token=world.user, expect=202)
    assert [one["kind"] for one in released["items"]] == ["release"] * 4
    assert {one["state"] for one in world.get("/allocation-sets/web")["items"]} == {"releasing"}
    world.ask("DELETE", "/allocation-sets/nothing", expect=404)


def test_deployed_together(rows: World) -> None:
    rows.image()
    made = rows.ask(
        "POST",
        "/allocation-sets",
        {"count": 2, "image": "debian-12", "hostname": "db.example.org", "credentials": {"password_hash": "$6$" + "a" * 20}},
    )
    assert [(one["state"], one["hostname"]) for one in made["items"]] == [
        ("deploying", "db-1.example.org"),
        ("deploying", "db-2.example.org"),
    ]
    assert all(one["operation"] for one in made["items"])


def test_near_one_another_or_apart(rows: World) -> None:
    world = rows

    def planned(**wanted: Any) -> list[str]:
        return [one["node"] for one in world.plan(**wanted)["candidates"]]

    assert planned(count=2, same="zone") == ["a1", "a2"]
    assert planned(count=3, same="zone", constraints={"mem": "1G"}) == ["a1", "a2", "a3"]
    assert planned(count=3, min_count=1, same=["zone", "pool"], constraints={"zone": "b,c"}) == ["b1", "b2"]
    assert planned(count=2, same="zone", prefer="zone=b") == ["b1", "b2"]
    assert planned(count=3, spread="zone") == ["a1", "b1", "c1"]
    assert planned(count=5, spread="zone") == ["a1", "b1", "c1", "a2", "b2"]
    assert planned(count=2, same="pool", spread="zone", constraints={"mem": "2G"}) == ["a2", "b2"]

    refused = world.plan(count=4, same="zone", expect=409)
    assert (refused["possible"], refused["fitting"]) == ("never", 6)
    assert "of one zone at most 3 fit now, and 3 at best" in refused["detail"]
    world.acquire("one", constraints={"node": "a1"}, deploy=False, image=None)
    refused = world.plan(count=3, same="zone", expect=409)
    assert refused["possible"] == "later"
    assert world.plan(count=2, same="zone", spread="zone", expect=422)["field"] == "spread"
    assert world.plan(count=2, same="moon", expect=422)["allowed"] == ["zone", "pool", "rack", "fabric"]

    assert planned(not_with="one")[0] == "b1"
    assert planned(not_with="one", constraints={"zone": "a"}) == ["a2", "a3"]
    assert planned(not_with="one", spread="zone") == ["b1", "c1", "b2"]
    assert planned(not_with=["one"], spread="zone", count=2) == ["b1", "c1"]
    refused = world.plan(not_with="one", spread="zone", constraints={"zone": "a"}, expect=409)
    assert {one["constraint"] for one in refused["excluded"]} >= {"not_with", "zone"}
    assert world.plan(not_with="nobody", expect=422)["field"] == "not_with"
    assert world.plan(not_with="one", token=world.other, expect=422)["field"] == "not_with"


def test_a_dry_run_says_why_and_writes_nothing(rows: World) -> None:
    before = len(rows.events())
    [best, second, *unused] = rows.plan(prefer="mem=2G.., zone=c", constraints={"mem": "..2G"})["candidates"]
    assert (best["node"], second["node"]) == ("a2", "b2")
    assert best["preferences"] == [
        {"constraint": "mem", "value": "2G..", "met": True},
        {"constraint": "zone", "value": "c", "met": False},
    ]
    assert best["cost_parts"]["memory_gib"] == 0.5
    assert best["cost"] == pytest.approx(sum(best["cost_parts"].values()))
    assert len(rows.events()) == before
    assert {node["state"] for node in rows.get("/nodes")["items"]} == {"ready"}


def test_preferences_rank_and_exclude_nothing(rows: World) -> None:
    got = [rows.acquire(deploy=False, image=None, prefer={"zone": "b"})["node"] for unused in range(3)]
    assert got == ["b1", "b2", "a1"]


def test_an_expression_over_the_facts(rows: World) -> None:
    world = rows
    assert world.picks(where="memory_bytes > 2 * 1024 ** 3") == ["a3"]
    assert world.picks(where="name in ('b2', 'c1')", zone="b") == ["b2"]
    assert world.picks(where="facts.memory.bytes == memory_bytes and zone == 'a'") == ["a1", "a2", "a3"]
    got = world.acquire("x", constraints={"where": "facts.cpu.threads >= 2 and name is match('b')"}, deploy=False, image=None)
    assert got["node"] == "b1"
    assert _nodes(_set(world, count=2, same="zone", constraints={"where": "name != 'a1'"})) == ["a2", "a3"]

    refused = world.plan(constraints={"where": "cpus > 100", "zone": "a"}, expect=409)
    assert {"constraint": "where", "value": "cpus > 100", "nodes": 1, "only": 1} in refused["excluded"]
    for wrong in ("cpus >", "spoons > 1", "cpus | shell"):
        assert world.plan(constraints={"where": wrong}, expect=422)["field"] == "constraints.where"
    endless = "range(100000) | map('string') | map('length') | sum > range(100000) | map('string') | map('length') | sum"
    settings = world.settings.model_copy(update={"expression_seconds": 0.001})
    object.__setattr__(world.services, "settings", settings)
    assert "longer than" in world.plan(constraints={"where": endless}, expect=422)["detail"]
