"""Every list comes in parts: ``limit``, ``after`` and ``next`` are the same everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.service.world import KEY, World

FILLED = {
    "/nodes", "/nodes/m1/events", "/nodes/m1/erasures", "/allocations", "/operations", "/events", "/images", "/pools",
    "/zones", "/tags", "/users", "/groups", "/grants", "/ssh-keys", "/operations/{operation}/log",
    "/operations/{operation}/script-results",
}  # fmt: skip
"""Lists that the world of these tests holds at least two items of."""


ONE_ANSWER = ("/api/v1/allocation-sets/{name}", "/api/v1/login")
"""What has members and is no list: a set has at most a hundred, and there are few ways to sign in."""


def _lists(world: World) -> dict[str, Any]:
    """The lists of the API as its document describes them, by path."""
    schemas = world.app.spec["components"]["schemas"]
    found: dict[str, Any] = {}
    for path, methods in world.app.spec["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "items" in schemas.get(name, {}).get("properties", {}) and path not in ONE_ANSWER:
            found[path.removeprefix("/api/v1")] = methods["get"] | {"schema": schemas[name]}
    return found


def test_every_list_is_described_the_same(still_world: World) -> None:
    lists = _lists(still_world)
    assert len(lists) >= len(FILLED)
    for path, described in lists.items():
        names = {one["name"] for one in described["parameters"] if one["in"] == "query"}
        assert {"limit", "after"} <= names, path
        assert set(described["schema"]["required"]) == {"items", "next"}, path


@pytest.fixture
def filled(still_world: World) -> World:
    world = still_world
    for name in ("debian-12", "debian-13"):
        world.image(name)
    for number in range(3):
        work = world.inventoried_node(f"m{number}", zone=f"z{number}", pool=f"p{number}", tags=[f"t{number}"])
        world.ask("PUT", f"/groups/g{number}", {"members": ["alice"]})
        world.ask("PUT", "/grants", {"group": f"g{number}", "role": "viewer"})
        if number != 1:
            continue
        for disk in ("D1", "D2"):
            work.erase(disk)
            item = {"name": disk, "phase": "before", "exit_code": 0, "output": "x"}
            work.report("script-results", items=[item])
    for number in range(3):
        world.post("/ssh-keys", {"key": KEY, "name": f"k{number}"}, expect=201)
    with world.services.database.write() as session:
        from inventory_service import clock
        from inventory_service.auth import ensure_user
        from inventory_service.models import Allocation

        user = ensure_user(session, "alice", "test")
        for number in range(3):
            session.add(
                Allocation(name=f"a{number}", user_id=user.id, node_name=f"m{number}", state="active", constraints={},
                           hostname=f"a{number}", host_keys=[], created_at=clock.now())
            )  # fmt: skip
    return world


def test_every_list_comes_in_parts(filled: World) -> None:
    operation = filled.get("/operations?node=m1")["items"][0]["id"]
    seen: set[str] = set()
    for path in _lists(filled):
        filled_path = re.sub(r"{operation_id}", "{operation}", path)
        filled_path = re.sub(r"^/nodes/{[^}]+}", "/nodes/m1", filled_path)
        must_hold = filled_path in FILLED
        seen.add(filled_path)
        url = re.sub(r"{operation}", operation, filled_path)
        if "{" in url:
            continue
        whole = filled.get(f"{url}?limit=1000")
        assert whole["next"] is None, path
        assert len(whole["items"]) >= (2 if must_hold else 0), path
        parts: list[Any] = []
        after = ""
        while True:
            part = filled.get(f"{url}?limit=1{after}")
            assert len(part["items"]) == min(1, len(whole["items"])), path
            parts += part["items"]
            if part["next"] is None:
                break
            after = f"&after={part['next']}"
        assert [_stable(one) for one in parts] == [_stable(one) for one in whole["items"]], path
        for query in ("limit=0", "limit=x"):
            assert filled.get(f"{url}?{query}", expect=422)["field"] == "limit", path
        answer = filled.call("GET", f"{url}?after={'9' * 40}")
        assert answer.status_code in (200, 404, 422), f"{path}: {answer.text}"
    assert seen >= FILLED


def _stable(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "steps"}


def test_a_node_in_a_list_is_the_node_without_its_devices(filled: World) -> None:
    world = filled
    world.ask("PATCH", "/nodes/m1", {"interfaces": [{"mac": world.get("/nodes/m1")["interfaces"][0]["mac"], "tags": ["uplink"]}]})
    world.ask("PATCH", "/nodes/m1", {"disks": [{"disk": "D1", "tags": ["scratch"]}]})
    listed = world.get("/nodes")["items"]
    assert [one["name"] for one in listed] == ["m0", "m1", "m2"]
    for one in listed:
        whole = world.get(f"/nodes/{one['name']}")
        assert {key: whole[key] for key in whole.keys() - {"numa", "devices"}} == one
    m1 = listed[1]
    assert [disk["tags"] for disk in m1["disks"]] == [["scratch"]] and m1["interfaces"][0]["tags"] == ["uplink"]
    assert (m1["zone"], m1["pool"], m1["tags"], m1["bmc"]["kind"]) == ("z1", "p1", ["t1"], "ipmi")
