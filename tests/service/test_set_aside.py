"""A node that keeps failing is set aside with the evidence, and comes back when it is mended or passes."""

from __future__ import annotations

from tests.service.world import Work, World

RULE = {"kinds": ["deploy"], "failures": 2, "window_seconds": 86400}


def _world(world: World, *rules: dict) -> World:
    world.ask("PUT", "/pools/default", {"set_aside": list(rules)})
    world.image()
    world.ready_node("m1")
    return world


def _fail(world: World, name: str = "web", times: int = 1, node: str = "m1") -> str:
    """A deploy fails, and the node is given back; the answer is the node's state then."""
    world.acquire(name, constraints={"node": node})
    for again in range(times):
        if again:
            world.post(f"/allocations/{name}/deploy", {}, token=world.user)
        Work(world, node).result("failed", "no boot")
        world.settle()
    world.ask("DELETE", f"/allocations/{name}", token=world.user)
    Work(world, node).release()
    world.settle()
    return world.get(f"/nodes/{node}")["state"]


def test_as_many_failures_as_a_rule_allows_set_a_node_aside_with_the_evidence(still_world: World) -> None:
    world = _world(still_world, {"kinds": ["commission"], "failures": 1, "window_seconds": 60}, RULE)
    assert [_fail(world, "a"), _fail(world, "b")] == ["ready", "broken"]
    reason = world.get("/nodes/m1")["reason"]
    assert reason.startswith("deploy failed for 2 or more within 86400 s (deploy at ")
    assert reason.count("no boot") == 2
    [event] = world.events("node.broken")
    failed = [one["operation"] for one in world.events("operation.failed")]
    assert [one["operation"] for one in event["detail"]["evidence"]] == failed
    assert event["detail"]["rule"] == RULE
    assert [one["operation"] for one in world.get("/nodes/m1/failures")["items"]] == failed[::-1]


def test_one_users_repeated_mistake_counts_once(still_world: World) -> None:
    assert _fail(_world(still_world, RULE), times=3) == "ready"


def test_no_rule_sets_nothing_aside_and_other_kinds_do_not_count(still_world: World) -> None:
    world = _world(still_world)
    assert [_fail(world) for unused in range(3)] == ["ready"] * 3
    world.ask("PUT", "/pools/default", {"set_aside": [RULE | {"kinds": ["release"]}]})
    assert _fail(world) == "ready"


def test_failures_are_forgotten_when_they_leave_the_window(still_world: World, clock_at) -> None:
    world = _world(still_world, RULE)
    for day in (0, 1.1, 2.2):
        clock_at(days=day)
        assert _fail(world) == "ready"


def test_a_node_that_nobody_holds_is_set_aside_at_once(still_world: World) -> None:
    world = _world(still_world, RULE | {"kinds": ["commission"]})
    for state in ("failed_commissioning", "broken"):
        world.post("/nodes/m1/operations", {"kind": "commission"})
        Work(world, "m1").result("failed", "no answer")
        world.settle()
        assert world.get("/nodes/m1")["state"] == state


def test_cancelled_and_never_begun_is_no_failure(still_world: World, clock_at) -> None:
    world = _world(still_world, RULE | {"failures": 1})
    world.acquire("web")
    operation = world.get("/allocations/web")["operation"]
    world.post(f"/operations/{operation}/cancel")
    world.post("/allocations/web/deploy", {}, token=world.user)
    clock_at(days=1)
    world.settle()
    assert world.get("/nodes/m1")["state"] == "failed_deploying"
    assert world.get("/nodes/m1/failures")["items"] == []


def test_a_node_that_failed_is_picked_last_until_it_is_forgotten(still_world: World, clock_at) -> None:
    world = _world(still_world)
    world.ready_node("m2", cpus=8)
    _fail(world)
    assert world.acquire("a", deploy=False)["node"] == "m2"
    assert world.acquire("b", deploy=False)["node"] == "m1"
    for name in "ab":
        world.ask("DELETE", f"/allocations/{name}")
    for node in ("m1", "m2"):
        Work(world, node).release()
    world.settle()
    clock_at(days=8)
    world.keep_time()
    assert world.acquire("c", deploy=False)["node"] == "m1"


def test_a_person_says_that_it_is_fixed(still_world: World) -> None:
    world = _world(still_world, RULE)
    for unused in range(2):
        _fail(world)
    refused = world.post("/nodes/m1/state", {"verb": "mark_fixed", "comment": ""}, expect=422)
    assert refused["field"] == "comment"
    world.post("/nodes/m1/state", {"verb": "mark_fixed", "comment": "new cable"}, token=world.user, expect=403)
    fixed = world.post("/nodes/m1/state", {"verb": "mark_fixed", "comment": "new cable"})
    assert (fixed["state"], fixed["reason"], fixed["comment"]) == ("ready", None, "new cable")
    assert world.events("node.ready")[-1]["detail"] == {"before": "broken", "verb": "mark_fixed", "reason": "new cable"}
    assert {one["forgiven"] for one in world.get("/nodes/m1/failures")["items"]} == {True}
    assert [_fail(world), _fail(world)] == ["ready", "broken"]
    world.post("/nodes/m1/operations", {"kind": "commission"})
    Work(world, "m1").commission()
    world.settle()
    assert _fail(world) == "ready"


def test_what_is_dirty_or_was_never_commissioned_is_not_marked_as_fixed(still_world: World) -> None:
    world = _world(still_world)
    world.add_node("m2")
    world.acquire("web")
    Work(world, "m1").deploy()
    world.settle()
    world.ask("DELETE", "/allocations/web")
    Work(world, "m1").result("failed", "the disk does not answer")
    world.settle()
    for node, allowed in (("m1", "release"), ("m2", "commission")):
        world.post(f"/nodes/{node}/state", {"verb": "set_aside", "comment": "smoke"})
        refused = world.post(f"/nodes/{node}/state", {"verb": "mark_fixed", "comment": "fixed"}, expect=409)
        assert refused["allowed"] == [allowed]
    refused = world.post("/nodes/m1/state", {"verb": "retire", "comment": "x"})
    assert world.post("/nodes/m1/state", {"verb": "mark_fixed", "comment": "fixed"}, expect=409)["allowed"] == [
        "broken"
    ]


def test_rules_are_checked(still_world: World) -> None:
    pool = still_world.get("/pools")["items"][0]
    assert pool["set_aside"] == [{"kinds": ["deploy", "release"], "failures": 3, "window_seconds": 604800}]
    for wrong in ({"kinds": []}, {"kinds": ["eat"]}, {"failures": 0}, {"window_seconds": 1}, {"more": 1}):
        refused = still_world.ask("PUT", "/pools/default", {"set_aside": [RULE | wrong]}, expect=422)
        assert refused["field"].startswith("set_aside.0.")
