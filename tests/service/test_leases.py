"""Allocations that end by themselves: what a pool allows, notice, end, grace, release; whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from inventory_service.durations import parse_duration, say_duration
from inventory_service.problems import Invalid
from tests.service.world import Work, World, until


def _world(world: World, **policy: Any) -> World:
    world.ask("PUT", "/pools/default", policy)
    world.ready_node("m1")
    return world


def _hold(world: World, name: str = "web", **wanted: Any) -> Any:
    return world.acquire(name, image=None, deploy=False, **wanted)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("2d", 172800), ("90m", 5400), ("1d12h", 129600), ("1w", 604800), ("1 H 5s", 3605)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration("lease", text) == timedelta(seconds=seconds)
    assert parse_duration("lease", say_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "8", "h", "0h", "-8h", "8x", "1.5h", "999999999w", "tomorrow", "8h later"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_duration("lease", text)
    assert refused.value.extensions["field"] == "lease"


def test_a_lease_is_announced_ends_and_after_the_grace_the_node_is_given_back(still_world: World, clock_at) -> None:
    world = _world(still_world, lease_notice_seconds=3600, lease_grace_seconds=600)
    held = _hold(world, lease="8h")
    assert _at(held["expires_at"]) - _at(held["held_since"]) == timedelta(hours=8)
    seen = []
    for minutes in (0, 419, 421, 422, 479, 481, 489, 491, 492):
        clock_at(minutes=minutes)
        world.keep_time()
        kinds = [one["kind"] for one in world.events() if one["kind"].startswith("allocation.exp")]
        seen.append((len(kinds), world.get("/allocations/web")["state"]))
    held_states = [(0, "allocated")] * 2 + [(1, "allocated")] * 3 + [(2, "allocated")] * 2
    assert seen == [*held_states, (2, "releasing"), (2, "releasing")]
    assert [one["kind"] for one in world.events() if one["kind"].startswith("allocation.exp")] == [
        "allocation.expiring",
        "allocation.expired",
    ]
    assert world.events("operation.requested")[-1]["actor"] == "engine"
    Work(world, "m1").release()
    world.settle()
    assert world.get("/allocations/web")["state"] == "released"
    assert _hold(world)["node"] == "m1"


def test_the_engine_does_it_by_itself_and_after_an_outage(world: World) -> None:
    _world(world, lease_notice_seconds=0)
    _hold(world, lease="2s")
    until(lambda: world.get("/allocations/web")["state"] == "releasing")
    Work(world, "m1").release()
    until(lambda: world.get("/allocations/web")["state"] == "released")
    _hold(world, "db", lease="1s")
    world.close()
    world.open()
    world.start_engine()
    until(lambda: world.get("/allocations/db")["state"] == "releasing")


def test_a_clock_that_jumps_ahead_skips_what_is_past_and_jumping_back_repeats_nothing(
    still_world: World, clock_at
) -> None:
    world = _world(still_world, lease_grace_seconds=86400)
    _hold(world, lease="8h")
    for hours in (9, 2, 7.5, 9):
        clock_at(hours=hours)
        world.keep_time()
    kinds = [one["kind"] for one in world.events() if one["kind"].startswith("allocation.exp")]
    assert kinds == ["allocation.expired"]


def test_a_lease_that_ends_while_an_operation_runs_is_released_when_that_ends(still_world: World, clock_at) -> None:
    world = _world(still_world)
    world.image()
    world.acquire("web", lease="1h")
    work = Work(world, "m1")
    clock_at(hours=2)
    world.keep_time()
    assert world.get("/allocations/web")["state"] == "deploying"
    work.deploy()
    world.settle()
    world.keep_time()
    assert world.get("/allocations/web")["state"] == "releasing"


def test_the_end_can_be_a_moment(still_world: World, clock_at) -> None:
    world = _world(still_world)
    end = (clock_at(hours=0) + timedelta(hours=5)).replace(microsecond=0)
    assert _at(_hold(world, until=end.isoformat())["expires_at"]) == end
    for wrong in ("2020-01-01T00:00:00Z", "2030-01-01T00:00", "tomorrow", "2999-01-01T00:00Z"):
        assert _hold(world, "db", until=wrong, expect=422)["field"] in ("until", "lease")
    assert _hold(world, "db", lease="8", expect=422)["field"] == "lease"
    assert _hold(world, "db", lease="8h", until=end.isoformat(), expect=422)["field"] == "until"


def test_pools_say_whether_and_how_long(still_world: World) -> None:
    world = _world(still_world, lease_required=True, lease_max_seconds=28800)
    refused = _hold(world, expect=422)
    assert (refused["field"], refused["value"]) == ("lease", None)
    assert refused["allowed"] == ["pool default requires a lease, at most 8h"]
    assert _hold(world, lease="9h", expect=422)["value"] == "9h"
    world.ready_node("m2", pool="free", cpus=64)
    assert _hold(world, "db", lease="9h")["node"] == "m2"
    world.ask("PUT", "/pools/default", {"lease_default_seconds": 60, "lease_max_seconds": None})
    held = _hold(world)
    assert _at(held["expires_at"]) - _at(held["held_since"]) == timedelta(minutes=1)
    world.ask("PUT", "/pools/default", {"lease_max_seconds": 0}, expect=422)


def test_extension_within_the_limits_of_the_pool(still_world: World, clock_at) -> None:
    world = _world(still_world, lease_max_seconds=8 * 3600, lease_total_seconds=12 * 3600)
    _hold(world, lease="8h")

    def extend(expect: int = 200, **more: str) -> Any:
        return world.post("/allocations/web/extend", more, token=world.user, expect=expect)

    began = clock_at(hours=0)
    assert extend(lease="1h", expect=422)["detail"].endswith("is not later than its present end")
    assert extend(expect=422)["field"] == "lease"
    clock_at(hours=7.5)
    world.keep_time()
    extended = extend(lease="2h")
    assert _at(extended["expires_at"]) - began == timedelta(hours=9.5)
    refused = extend(lease="5h", expect=422)
    assert "the latest end is" in refused["detail"]
    latest = refused["allowed"].removeprefix("until ")
    assert extend(until=latest)["expires_at"] == latest
    world.post("/allocations/web/extend", {"lease": "8h"}, token=world.other, expect=404)
    clock_at(hours=11.5)
    world.keep_time()
    assert [one["kind"] for one in world.events() if one["kind"].startswith("allocation.exp")] == [
        "allocation.expiring"
    ] * 2
    assert [one["actor"] for one in world.events("allocation.extended")] == ["alice", "alice"]


def test_without_a_lease_it_is_held_until_it_is_released(still_world: World, clock_at) -> None:
    world = _world(still_world)
    assert _hold(world)["expires_at"] is None
    clock_at(days=3000)
    world.keep_time()
    assert world.get("/allocations/web")["state"] == "allocated"
    assert world.post("/allocations/web/extend", {"lease": "1h"}, token=world.user, expect=409)["type"] == "conflict"


def test_a_pools_new_grace_counts_for_what_is_held(still_world: World, clock_at) -> None:
    world = _world(still_world)
    _hold(world, lease="1h")
    world.ask("PUT", "/pools/default", {"lease_grace_seconds": 7200})
    for hours, state in ((2, "allocated"), (3.5, "releasing")):
        clock_at(hours=hours)
        world.keep_time()
        assert world.get("/allocations/web")["state"] == state
