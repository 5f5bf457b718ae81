"""How much a user may hold of a pool, also when they ask at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.service.world import GIB, Work, World


def _nodes(world: World, count: int = 3, **more: Any) -> World:
    for number in range(count):
        world.ready_node(f"m{number}", **more)
    return world


def _hold(world: World, name: str | None = None, **wanted: Any) -> Any:
    return world.acquire(name, image=None, deploy=False, **wanted)


def _quota(world: World, path: str = "default/alice", **limit: int | None) -> Any:
    return world.ask("PUT", f"/quotas/{path}", limit)


def test_the_refusal_says_which_limit_how_much_is_used_and_by_which_allocations(still_world: World) -> None:
    world = _nodes(still_world)
    _quota(world, nodes=2)
    for name in ("web", "db"):
        _hold(world, name)
    refused = _hold(world, expect=409)
    assert refused["type"] == "quota-used-up"
    assert refused["detail"] == "quota of pool default: 2 of 2 nodes used by web, db; release some of these, or wait"
    none = {"cpus": None, "memory_bytes": None}
    assert refused["quotas"] == [
        {
            "pool": "default",
            "limit": {"nodes": 2} | none,
            "used": {"nodes": 2, "cpus": 4, "memory_bytes": 4 * GIB},
            "allocations": ["web", "db"],
        }
    ]
    assert _hold(world, token=world.other)["user"] == "bob"


def test_cpus_and_memory_count_as_they_were_when_the_node_was_taken(still_world: World) -> None:
    world = still_world
    world.ready_node("small", cpus=2, memory=2 * GIB)
    world.ready_node("large", cpus=16, memory=64 * GIB)
    _quota(world, cpus=10)
    assert _hold(world)["node"] == "small"
    assert _hold(world, expect=409)["quotas"][0]["used"]["cpus"] == 2
    _quota(world, cpus=18, memory_bytes=4 * GIB)
    assert _hold(world, expect=409)["type"] == "quota-used-up"
    _quota(world, cpus=18, memory_bytes=66 * GIB)
    assert _hold(world)["node"] == "large"


def test_a_pool_whose_quota_is_used_up_is_left_out(still_world: World) -> None:
    world = _nodes(still_world, 2)
    world.ready_node("far", pool="other", cpus=64)
    _quota(world, nodes=1)
    assert [_hold(world)["node"] for unused in range(2)] == ["m0", "far"]
    assert _hold(world, expect=409)["type"] == "quota-used-up"
    assert _hold(world, constraints={"cpus": 1000}, expect=409)["type"] == "nothing-fits"


def test_ones_own_quota_comes_before_everybodys(still_world: World) -> None:
    world = _nodes(still_world)
    assert _quota(world, "default", nodes=1)["user"] is None
    _quota(world, nodes=2)
    for token, limit in ((world.user, 2), (world.other, 1)):
        assert world.get("/quotas", token=token)["items"][0]["limit"]["nodes"] == limit
        for unused in range(limit):
            _hold(world, token=token)
        assert world.get("/quotas", token=token)["items"][0]["used"]["nodes"] == limit
    world.ask("DELETE", "/quotas/default/alice")
    assert world.get("/quotas", token=world.user)["items"][0]["limit"]["nodes"] == 1
    assert [one["user"] for one in world.get("/quotas")["items"]] == [None]
    assert world.get("/quotas?user=bob")["items"][0]["used"]["nodes"] == 1
    assert [one["kind"] for one in world.events() if one["kind"].startswith("quota.")] == ["quota.set"] * 2 + [
        "quota.deleted"
    ]


def test_quotas_are_for_administrators(still_world: World) -> None:
    for method in ("PUT", "DELETE"):
        for path in ("/quotas/default", "/quotas/default/alice"):
            still_world.ask(method, path, {"nodes": 9} if method == "PUT" else None, token=still_world.user, expect=403)
    assert still_world.get("/quotas?user=bob", token=still_world.user)["items"] == []
    assert _quota(still_world, nodes=1)["limit"]["nodes"] == 1
    for path in ("nowhere/alice", "default/nobody"):
        still_world.ask("PUT", f"/quotas/{path}", {"nodes": 1}, expect=404)
    still_world.ask("DELETE", "/quotas/default", expect=404)
    assert still_world.ask("PUT", "/quotas/default", {"nodes": -1}, expect=422)["field"] == "nodes"


def test_requests_of_one_user_at_the_same_moment_are_counted(still_world: World) -> None:
    world = _nodes(still_world, 6)
    _quota(world, nodes=2)

    def ask(_number: int) -> int:
        status: int = world.call("POST", "/allocations", {"deploy": False}, token=world.user).status_code
        return status

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(ask, range(6))) == [201, 201, 409, 409, 409, 409]


def test_what_is_given_back_counts_no_longer(still_world: World) -> None:
    world = _nodes(still_world, 2)
    _quota(world, nodes=1)
    node = _hold(world, "web")["node"]
    world.ask("DELETE", "/allocations/web")
    assert _hold(world, expect=409)["quotas"][0]["allocations"] == ["web"]
    Work(world, node).release()
    world.settle()
    _hold(world)
