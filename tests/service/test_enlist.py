"""Unknown machines: noted, limited, and untouched until they are accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.world import KEY, Work, World

UUID = "11111111-2222-3333-4444-555555555555"


def _said(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "uuid": UUID[:-2] + f"{number:02x}",
        "serial": f"S{number}",
        "vendor": "Acme",
        "product": "Box",
        "arch": "amd64",
        "firmware": "uefi",
        "interfaces": [{"name": "eth0", "mac": f"52:54:00:ee:00:{number:02x}"}],
        "boot_mac": f"52-54-00-ee-00-{number:02x}",
        "address": "192.0.2.50",
        "bmc": {"address": "192.0.2.60", "mac": "52:54:00:bb:00:01"},
    } | more


def _enlist(world: World, said: dict[str, Any], expect: int = 201, source: str = "192.0.2.50") -> Any:
    return world.ask("POST", "/boot/enlist", said, token=None, expect=expect, headers={"X-Forwarded-For": source})


def _wait(world: World, claim: str, expect: int) -> Any:
    return world.ask("POST", "/boot/enlist/wait", {"claim": claim, "wait": 0}, token=None, expect=expect)


def test_enlisted_machine_is_new_and_waits_for_acceptance(world: World) -> None:
    said = _enlist(world, _said())
    node = world.get(f"/nodes/{said['node']}")
    assert (node["state"], node["serial"], node["firmware"], node["operation"]) == ("new", "S1", "uefi", None)
    assert node["bmc"]["address"] == "192.0.2.60"
    _wait(world, said["claim"], 204)
    world.post(f"/nodes/{said['node']}/operations", {"kind": "commission"}, expect=202)
    _wait(world, said["claim"], 204)
    work = Work(world, said["node"])
    armed = work.report("arm")
    handed = _wait(world, said["claim"], 200)
    assert handed["boot"] == armed["boot"]
    assert work.check_in(armed, nonce=None, token=handed["token"]) == {"authorized_keys": [KEY]}
    work.commission()
    _wait(world, said["claim"], 410)


def test_machine_whose_bmc_can_hold_a_nonce_gets_no_token(world: World) -> None:
    said = _enlist(world, _said())
    world.ask("PATCH", f"/nodes/{said['node']}", {"bmc": {"username": "admin", "password": "factory"}})
    world.post(f"/nodes/{said['node']}/operations", {"kind": "commission"})
    work = Work(world, said["node"])
    armed = work.report("arm")
    assert _wait(world, said["claim"], 200) == {"boot": armed["boot"], "token": None}


def test_enlisting_again_renews_the_claim(world: World) -> None:
    first = _enlist(world, _said())
    again = _enlist(world, _said(), expect=200)
    assert again["node"] == first["node"]
    _wait(world, first["claim"], 410)
    _wait(world, again["claim"], 204)
    world.ask("DELETE", f"/nodes/{first['node']}", expect=204)
    _wait(world, again["claim"], 410)


@pytest.mark.parametrize("same", ["mac", "uuid"])
def test_machine_that_says_it_is_a_known_node_creates_nothing(world: World, same: str) -> None:
    world.add_node("m1", interfaces=[{"mac": "52:54:00:ee:00:01"}], uuid=_said()["uuid"])
    world.post("/nodes/m1/operations", {"kind": "commission"})
    Work(world, "m1").commission()
    said = _said(2, interfaces=[{"mac": "52:54:00:ee:00:01"}]) if same == "mac" else _said(2, uuid=_said()["uuid"])
    _enlist(world, said, expect=409)
    assert [node["name"] for node in world.get("/nodes")["items"]] == ["m1"]
    [event] = world.events("security.enlist-refused")
    assert (event["node"], event["actor"]) == ("m1", "boot 192.0.2.50")


def test_enlisting_is_limited_by_source_and_in_all(make_world) -> None:
    world = make_world(engine=False, unaccepted_nodes=3, unaccepted_nodes_per_source=2)
    for number in (1, 2):
        _enlist(world, _said(number))
    _enlist(world, _said(3), expect=429)
    _enlist(world, _said(3), source="192.0.2.51")
    _enlist(world, _said(4), source="192.0.2.52", expect=429)
    _enlist(world, _said(1), expect=200)


def test_accepting_by_policy(world: World) -> None:
    world.ask("PUT", "/pools/default", {"auto_accept": True})
    said = _enlist(world, _said())
    assert world.get(f"/nodes/{said['node']}")["state"] == "commissioning"


@pytest.mark.parametrize(
    "wrong",
    [{"arch": "z80"}, {"interfaces": []}, {"interfaces": [{"mac": "x"}]}, {"uuid": "x"}, {"firmware": "coreboot"}],
)
def test_nonsense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    _enlist(world, _said(**wrong), expect=422)
    assert world.get("/nodes")["items"] == []


def test_placeholder_uuid_is_no_identity(world: World) -> None:
    for number in (1, 2):
        _enlist(world, _said(number, uuid="00000000-0000-0000-0000-000000000000"))
    assert len(world.get("/nodes")["items"]) == 2
