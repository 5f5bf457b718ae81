"""Which VLAN an interface is on, by hand and learned; tags of interfaces and disks; annotations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.world import Work, World, facts

MAC, OTHER = "52:54:00:aa:00:01", "52:54:00:aa:00:02"


@pytest.fixture
def net(still_world: World) -> World:
    """Two VLANs, a subnet each, and a node with two interfaces."""
    still_world.ask("PUT", "/fabrics/f1", {})
    for vid, name, cidr in ((0, "lan", "192.0.2.0/24"), (7, "storage", "198.51.100.0/24")):
        still_world.ask("PUT", f"/vlans/{name}", {"fabric": "f1", "vid": vid})
        still_world.ask("PUT", f"/subnets/{name}4", {"vlan": name, "cidr": cidr})
    still_world.add_node("m1", interfaces=[{"mac": MAC}, {"mac": OTHER}])
    return still_world


def _vlans(world: World) -> list[str | None]:
    return [one["vlan"] for one in world.get("/nodes/m1")["interfaces"]]


def _patch(world: World, first: dict[str, Any], expect: int = 200) -> Any:
    return world.ask("PATCH", "/nodes/m1", {"interfaces": [{"mac": MAC} | first, {"mac": OTHER}]}, expect=expect)


def _commission(world: World, **said: Any) -> Work:
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    work.check_in(work.report("arm"), **said)
    return work


def test_set_by_hand(net: World) -> None:
    shown = _patch(net, {"subnet": "storage4", "tags": ["fast", "10g"], "name": "eth0"})["interfaces"][0]
    assert (shown["vlan"], shown["fabric"], shown["subnets"], shown["tags"], shown["name"]) == (
        "storage", "f1", ["storage4"], ["10g", "fast"], "eth0",
    )  # fmt: skip
    shown = _patch(net, {"tags": ["fast"]})["interfaces"][0]
    assert (shown["vlan"], shown["tags"], shown["name"]) == ("storage", ["fast"], "eth0"), "what is left out stays"
    assert _patch(net, {"vlan": None})["interfaces"][0]["vlan"] is None
    for wrong, field in (({"vlan": "x"}, "vlan"), ({"subnet": "x"}, "subnet"), ({"vlan": "lan", "subnet": "storage4"}, "subnet"),
                         ({"tags": ["a b"]}, "tags")):  # fmt: skip
        assert _patch(net, wrong, 422)["field"] == f"interfaces.0.{field}"
    assert _vlans(net) == [None, None]


def test_learned_from_the_address_that_it_boots_with(net: World) -> None:
    _commission(net, boot_mac=MAC, address="192.0.2.100", macs=[MAC, OTHER])
    assert _vlans(net) == ["lan", None]
    assert net.events("interface.vlan-learned")[0]["detail"] == {"mac": MAC, "address": "192.0.2.100", "vlan": "lan"}


def test_learned_from_the_addresses_that_commissioning_sees(net: World) -> None:
    work = _commission(net)
    said = facts() | {"interfaces": [{"mac": OTHER, "name": "eth1", "addresses": ["198.51.100.7", "fd00::1"]}]}
    work.report("facts", "PUT", facts=said)
    assert _vlans(net) == [None, "storage"]


def test_learned_when_it_enlists(net: World) -> None:
    said = {"arch": "amd64", "firmware": "uefi", "interfaces": [{"mac": "52:54:00:ee:00:01"}], "boot_mac": "52:54:00:ee:00:01",
            "address": "198.51.100.9"}  # fmt: skip
    node = net.ask("POST", "/boot/enlist", said, token=None)["node"]
    assert net.get(f"/nodes/{node}")["interfaces"][0]["vlan"] == "storage"


def test_what_a_person_says_is_not_learned_over(net: World) -> None:
    _patch(net, {"vlan": "storage"})
    _commission(net, boot_mac=MAC, address="192.0.2.100")
    assert _vlans(net) == ["storage", None]


def test_an_address_that_two_fabrics_have_says_nothing(net: World) -> None:
    net.ask("PUT", "/fabrics/f2", {})
    net.ask("PUT", "/vlans/far", {"fabric": "f2", "vid": 0})
    net.ask("PUT", "/subnets/far4", {"vlan": "far", "cidr": "192.0.2.0/24"})
    _commission(net, boot_mac=MAC, address="192.0.2.100")
    assert _vlans(net) == [None, None]


def test_tags_of_disks_stay_with_the_disk(net: World) -> None:
    disks = [("D1", "ssd", 6), ("D2", "nvme", 6)]
    _commission(net).commission(disks=disks)
    changed = net.ask("PATCH", "/nodes/m1", {"disks": [{"disk": "D2", "tags": ["scratch"]}]})
    assert [disk["tags"] for disk in changed["disks"]] == [[], ["scratch"]]
    answer = net.ask("PATCH", "/nodes/m1", {"disks": [{"disk": "D9", "tags": []}]}, expect=422)
    assert (answer["field"], answer["allowed"]) == ("disks.0.disk", ["D1", "D2"])


def test_tags_of_disks_survive_another_commissioning(world: World) -> None:
    world.ready_node("m1", disks=[("D1", "ssd", 6), ("D2", "nvme", 6)])
    world.ask("PATCH", "/nodes/m1", {"disks": [{"disk": "D1", "tags": ["boot"]}]})
    world.post("/nodes/m1/operations", {"kind": "commission"})
    Work(world, "m1").commission(disks=[("D2", "nvme", 6), ("D1", "ssd", 6)])
    assert {disk["serial"]: disk["tags"] for disk in world.get("/nodes/m1")["disks"]} == {"D1": ["boot"], "D2": []}


def test_annotations_of_nodes(net: World) -> None:
    node = net.ask("PATCH", "/nodes/m1", {"annotations": {"rack/unit": "17", "owner": "ops"}, "comment": "top"})
    assert (node["annotations"], node["comment"]) == ({"rack/unit": "17", "owner": "ops"}, "top")
    assert net.ask("PATCH", "/nodes/m1", {"annotations": {"owner": None, "new": "x"}})["annotations"] == {"rack/unit": "17", "new": "x"}
    assert [one["name"] for one in net.get("/nodes?annotation=rack/unit%3D17")["items"]] == ["m1"]
    assert net.get("/nodes?annotation=rack/unit%3D18")["items"] == []
    assert net.get("/nodes?annotation=nonsense", expect=422)["field"] == "annotation"
    for wrong in ({"a b": "x"}, {"": "x"}, {"k": "x" * 1001}, {f"k{n}": "x" for n in range(65)}):
        assert net.ask("PATCH", "/nodes/m1", {"annotations": wrong}, expect=422)["field"].startswith("annotations")
    net.add_node("m2", annotations={"a": "b"})
    assert net.get("/nodes/m2")["annotations"] == {"a": "b"}


def test_a_user_writes_beside_the_own_allocation(world: World) -> None:
    world.image()
    world.ready_node("m1")
    held = world.acquire("web", deploy=False, note="for the demo", annotations={"job": "7"})
    assert (held["note"], held["annotations"]) == ("for the demo", {"job": "7"})
    changed = world.ask("PATCH", "/allocations/web", {"annotations": {"job": "8", "x": "y"}}, token=world.user)
    assert (changed["note"], changed["annotations"]) == ("for the demo", {"job": "8", "x": "y"})
    world.ask("PATCH", "/allocations/web", {"note": "mine"}, token=world.other, expect=404)
    assert world.ask("PATCH", "/allocations/web", {"annotations": {"?": "x"}}, token=world.user, expect=422)["field"] == "annotations.?"
    assert world.events("allocation.annotated")[0]["detail"]["annotations"] == {"job": "8", "x": "y"}
    world.ask("DELETE", "/allocations/web", token=world.user)
    Work(world, "m1").release()
    world.ask("PATCH", "/allocations/web", {"note": "late"}, token=world.user, expect=409)
