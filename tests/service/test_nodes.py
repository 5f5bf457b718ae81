"""Nodes as records: added, changed, filtered, deleted."""

from __future__ import annotations

import pytest

from tests.service.world import World


def test_node_is_added_shown_changed_deleted(still_world: World) -> None:
    world = still_world
    node = world.add_node("m1", zone="z", tags=["b", "a"], interfaces=[{"mac": "52-54-00-AA-00-01", "name": "eth0"}])
    assert (node["state"], node["zone"], node["tags"], node["interfaces"][0]["mac"]) == (
        "new",
        "z",
        ["a", "b"],
        "52:54:00:aa:00:01",
    )
    assert node["bmc"] == {"kind": "ipmi", "address": "192.0.2.1", "port": 623, "username": "admin", "mac": None}
    changed = world.ask(
        "PATCH", "/nodes/m1", {"name": "m9", "tags": ["c"], "comment": "top", "zone": "y", "bmc": {"port": 624}}
    )
    assert (changed["name"], changed["tags"], changed["comment"], changed["zone"]) == ("m9", ["c"], "top", "y")
    assert (changed["bmc"]["port"], changed["bmc"]["username"]) == (624, "admin")
    assert changed["version"] > node["version"]
    world.ask("DELETE", "/nodes/m9", expect=204)
    world.get("/nodes/m9", expect=404)
    assert world.events("node.deleted")[0]["node"] == "m9"


@pytest.mark.parametrize(
    "same",
    [{"name": "m1"}, {"interfaces": [{"mac": "52:54:00:aa:00:01"}]}, {"uuid": "11111111-2222-3333-4444-555555555555"}],
)
def test_two_nodes_are_never_the_same(still_world: World, same) -> None:
    first = {"interfaces": [{"mac": "52:54:00:aa:00:01"}], "uuid": "11111111-2222-3333-4444-555555555555"}
    still_world.add_node("m1", **first)
    body = {"name": "m2", "interfaces": [{"mac": "52:54:00:aa:00:02"}]} | same
    assert still_world.post("/nodes", body, expect=409)["type"] == "conflict"
    assert len(still_world.get("/nodes")["items"]) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"interfaces": [{"mac": "banana"}]}, "interfaces.0.mac"),
        ({"interfaces": []}, "interfaces"),
        ({"arch": "z80"}, "arch"),
        ({"firmware": "coreboot"}, "firmware"),
        ({"uuid": "1"}, "uuid"),
        ({"rack": "nowhere"}, "rack"),
        ({"colour": "blue"}, "colour"),
        ({"bmc": {"address": "x", "port": 0}}, "bmc.port"),
    ],
)
def test_nonsense_is_refused_by_name(still_world: World, wrong, field: str) -> None:
    body = {"name": "m1", "interfaces": [{"mac": "52:54:00:aa:00:01"}]} | wrong
    assert still_world.post("/nodes", body, expect=422)["field"] == field


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=new", ["m1", "m2"]),
        ("zone=a", ["m1"]),
        ("tag=x", ["m1", "m2"]),
        ("tag=x,y", ["m2"]),
        ("arch=arm64", ["m2"]),
        ("name=m1", ["m1"]),
        ("state=ready,deployed", []),
    ],
)
def test_nodes_are_filtered(still_world: World, query: str, names: list[str]) -> None:
    still_world.add_node("m1", zone="a", tags=["x"])
    still_world.add_node("m2", zone="b", tags=["x", "y"], arch="aarch64")
    assert [node["name"] for node in still_world.get(f"/nodes?{query}")["items"]] == names


def test_node_in_use_is_not_deleted(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web", deploy=False)
    assert "release it first" in world.ask("DELETE", "/nodes/m1", expect=409)["detail"]
    assert world.post("/nodes/m1/state", {"verb": "retire", "comment": "old"}, expect=409)["value"] == "allocated"


def test_unknown_operation_and_impossible_state(still_world: World) -> None:
    still_world.add_node("m1")
    assert still_world.post("/nodes/m1/operations", {"kind": "polish"}, expect=422)["allowed"] == [
        "commission",
        "deploy",
        "release",
    ]
    assert still_world.post("/nodes/m1/operations", {"kind": "release"}, expect=409)["value"] == "new"
    still_world.ask("PATCH", "/nodes/m1", {"locked": True})
    assert "locked" in still_world.post("/nodes/m1/operations", {"kind": "commission"}, expect=409)["detail"]


def test_images_are_registered_once_and_brought_up_to_date(still_world: World) -> None:
    world = still_world
    body = dict(world.image())
    body.pop("created_at")
    world.post("/images", body, expect=200)
    assert world.post("/images", body | {"sha256": "cd" * 32}, expect=200)["sha256"] == "cd" * 32
    assert len(world.get("/images")["items"]) == 1
    for wrong in (
        {"url": "file:///etc/passwd"},
        {"url": "/images/../x"},
        {"sha256": "x"},
        {"arch": "z80"},
        {"boot": []},
    ):
        world.post("/images", body | wrong, expect=422)
    world.ask("DELETE", "/images/debian-12", expect=204)
    world.get("/images/debian-12", expect=404)


def test_pools_have_policies(still_world: World) -> None:
    policy = {"wait_in_ephemeral": True, "erase_methods": ["overwrite"], "weak_boot_token": True, "auto_accept": False}
    made = still_world.ask("PUT", "/pools/lab", policy)
    assert {name: made[name] for name in policy} == policy
    assert [pool["name"] for pool in still_world.get("/pools")["items"]] == ["default", "lab"]
    assert still_world.get("/zones")["items"][0]["name"] == "default"
