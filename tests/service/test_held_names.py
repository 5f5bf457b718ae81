"""A set and an allocation never share a name, also when both are asked for at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.service.world import Work, World

NODES = 4


@pytest.fixture
def pool(still_world: World) -> World:
    for number in range(NODES):
        still_world.ready_node(f"m{number}")
    return still_world


def _one(world: World, name: str, **more: Any) -> Any:
    return world.call("POST", "/allocations", {"name": name, "deploy": False} | more, token=world.user)


def _set(world: World, name: str, count: int = 2, token: str | None = None) -> Any:
    body = {"name": name, "count": count, "deploy": False}
    return world.call("POST", "/allocation-sets", body, token=token or world.user)


@pytest.mark.parametrize(("name", "wait"), [("web", False), ("web", True)])
def test_a_sets_name_is_no_allocations(pool: World, name: str, wait: bool) -> None:
    assert _set(pool, name).status_code == 201
    refused = _one(pool, name, wait=wait)
    assert refused.status_code == 409
    document = refused.get_json()
    assert (document["type"], document["field"], document["value"]) == ("conflict", "name", name)
    assert document["detail"] == f"the name {name!r} is taken by your own set: choose another"
    assert _one(pool, f"{name}-1").status_code == 200, "that is one of the set"
    pool.ask("DELETE", f"/allocation-sets/{name}", token=pool.user)
    assert _one(pool, name).status_code == 409, "until it is released"


@pytest.mark.parametrize(
    ("held", "what"), [("web", "the name 'web'"), ("web-2", "the name 'web-2'"), ("web-1", "the name 'web-1'")]
)
def test_an_allocations_name_is_no_sets_and_not_that_of_one_of_them(pool: World, held: str, what: str) -> None:
    assert _one(pool, held).status_code == 201
    for token, whose in ((pool.user, "your own"), (pool.other, "another user's")):
        refused = _set(pool, "web", token=token).get_json()
        assert (refused["status"], refused["field"]) == (409, "name")
        assert refused["detail"] == f"{what} is taken by {whose} allocation: choose another"
    assert len(pool.get("/allocations")["items"]) == 1
    assert _set(pool, "web", count=1).status_code == (201 if held == "web-2" else 409)


def test_nor_is_the_name_of_one_of_a_set_another_sets(pool: World) -> None:
    assert _set(pool, "web-1", count=1).status_code == 201
    assert _set(pool, "web", count=1).get_json()["detail"] == "the name 'web-1' is taken by your own set: choose another"


def test_of_two_at_the_same_moment_one_has_the_name(pool: World) -> None:
    """Alone or waiting in line, as a set, and as the set of whose names it is one."""
    for number in range(10):
        name = f"x{number}-1"
        asks = [
            lambda name=name: _one(pool, name),
            lambda name=name: _set(pool, name, 1),
            lambda name=name: _set(pool, name.removesuffix("-1"), 1),
            lambda name=name: _one(pool, name, wait=True, constraints={"cpus": "2"}),
        ]
        with ThreadPoolExecutor(len(asks)) as threads:
            statuses = [one.result().status_code for one in [threads.submit(ask) for ask in asks]]
        assert set(statuses) <= {200, 201, 409}, statuses
        [held] = pool.get("/allocations")["items"]
        assert name in (held["name"], held["set"])
        pool.ask("DELETE", f"/allocations/{held['name']}")
        Work(pool, held["node"]).release()
        pool.settle()
