"""Networks as records: what is kept, what is refused and why, what is not deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.world import World


def put(world: World, path: str, expect: int | None = None, **values: Any) -> Any:
    return world.ask("PUT", path, values, expect=expect)


@pytest.fixture
def net(still_world: World) -> World:
    """A fabric with two VLANs in a space, and a subnet of each kind."""
    put(still_world, "/spaces/inside", 201, description="all that may talk")
    put(still_world, "/fabrics/f1", 201)
    put(still_world, "/vlans/lan", 201, fabric="f1", vid=0, space="inside")
    put(still_world, "/vlans/storage", 201, fabric="f1", vid=7, mtu=9000)
    put(still_world, "/subnets/lan4", 201, vlan="lan", cidr="192.0.2.0/24", gateway="192.0.2.1")
    put(still_world, "/subnets/lan6", 201, vlan="lan", cidr="2001:DB8:0::/64", gateway="fe80::1")
    return still_world


def test_networks_are_made_shown_changed_and_events_say_so(net: World) -> None:
    assert net.get("/vlans/lan") == {
        "name": "lan", "fabric": "f1", "vid": 0, "space": "inside", "mtu": 1500, "description": "", "version": 1,
    }  # fmt: skip
    four, six = net.get("/subnets/lan4"), net.get("/subnets/lan6")
    assert (four["fabric"], four["space"], four["gateway"], four["assign"]) == ("f1", "inside", "192.0.2.1", False)
    assert four["use"] == {"total": 256, "assignable": 253, "taken": 0, "free": 253}
    assert (six["cidr"], six["gateway"], six["use"]["assignable"]) == ("2001:db8::/64", "fe80::1", 2**64 - 1)
    changed = put(net, "/subnets/lan4", 200, dns_servers=["192.0.2.2", "2001:db8::2"], assign=True, gateway=None)
    assert (changed["dns_servers"], changed["gateway"], changed["version"]) == (["192.0.2.2", "2001:db8::2"], None, 2)
    assert put(net, "/subnets/lan4", 200, assign=True)["version"] == 2
    assert [one["name"] for one in net.get("/subnets")["items"]] == ["lan4", "lan6"]
    assert [one["name"] for one in net.get("/vlans?limit=1")["items"]] == ["lan"]
    assert [one["name"] for one in net.get("/vlans?limit=1&after=lan")["items"]] == ["storage"]
    assert net.events("subnet.changed")[0]["detail"]["assign"] is True
    assert net.events("vlan.added")[1]["detail"]["vid"] == 7


@pytest.mark.parametrize(
    ("path", "values", "status", "field"),
    [
        ("/vlans/new", {"vid": 1}, 422, "fabric"),
        ("/vlans/new", {"fabric": "f1"}, 422, "vid"),
        ("/vlans/new", {"fabric": "f9", "vid": 1}, 422, "fabric"),
        ("/vlans/new", {"fabric": "f1", "vid": 4095}, 422, "vid"),
        ("/vlans/new", {"fabric": "f1", "vid": 7}, 409, "vid"),
        ("/vlans/lan", {"space": "outside"}, 422, "space"),
        ("/vlans/A b", {"fabric": "f1", "vid": 1}, 422, "name"),
        ("/subnets/new", {"cidr": "10.0.0.0/24"}, 422, "vlan"),
        ("/subnets/new", {"vlan": "lan"}, 422, "cidr"),
        ("/subnets/new", {"vlan": "lan", "cidr": "10.0.0.1/24"}, 422, "cidr"),
        ("/subnets/new", {"vlan": "lan", "cidr": "10.0.0.0"}, 422, "cidr"),
        ("/subnets/new", {"vlan": "lan", "cidr": "banana"}, 422, "cidr"),
        ("/subnets/new", {"vlan": "storage", "cidr": "192.0.2.128/25"}, 409, "cidr"),
        ("/subnets/new", {"vlan": "storage", "cidr": "192.0.0.0/16"}, 409, "cidr"),
        ("/subnets/new", {"vlan": "storage", "cidr": "2001:db8::/48"}, 409, "cidr"),
        ("/subnets/lan4", {"gateway": "192.0.3.1"}, 422, "gateway"),
        ("/subnets/lan4", {"gateway": "192.0.2.0"}, 422, "gateway"),
        ("/subnets/lan4", {"gateway": "192.0.2.255"}, 422, "gateway"),
        ("/subnets/lan4", {"gateway": "2001:db8::1"}, 422, "gateway"),
        ("/subnets/lan4", {"dns_servers": ["192.0.2.2", "dns"]}, 422, "dns_servers.1"),
        ("/subnets/lan4", {"ranges": [{"kind": "boot", "first": "192.0.2.9", "last": "192.0.2.5"}]}, 422, "ranges.0.last"),
        ("/subnets/lan4", {"ranges": [{"kind": "boot", "first": "192.0.2.9", "last": "192.0.3.5"}]}, 422, "ranges.0.last"),
        ("/subnets/lan4", {"ranges": [{"kind": "boot", "first": "192.0.2.1", "last": "192.0.2.5"}]}, 422, "ranges.0.first"),
        ("/subnets/lan4", {"ranges": [{"kind": "boot", "first": "192.0.2.9", "last": "192.0.2.19"},
                                      {"kind": "reserved", "first": "192.0.2.19", "last": "192.0.2.29"}]}, 422, "ranges.1.first"),
        ("/subnets/lan4", {"ranges": [{"kind": "lost", "first": "192.0.2.9", "last": "192.0.2.19"}]}, 422, "ranges.0.kind"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_field_and_changes_nothing(
    net: World, path: str, values: dict[str, Any], status: int, field: str
) -> None:
    before = [net.get(path) for path in ("/vlans", "/subnets", "/spaces", "/events?limit=1000")]
    answer = put(net, path, status, **values)
    assert answer["field"] == field, answer
    assert [net.get(path) for path in ("/vlans", "/subnets", "/spaces", "/events?limit=1000")] == before


def test_another_fabric_may_use_the_same_addresses_but_not_be_joined(net: World) -> None:
    put(net, "/fabrics/f2", 201)
    put(net, "/vlans/other", 201, fabric="f2", vid=0)
    put(net, "/subnets/other4", 201, vlan="other", cidr="192.0.2.0/25")
    answer = put(net, "/vlans/other", 409, fabric="f1", vid=9)
    assert (answer["field"], answer["other"]) == ("fabric", "lan4")


@pytest.mark.parametrize(
    ("path", "used_by"),
    [
        ("/spaces/inside", {"vlan": ["lan"]}),
        ("/fabrics/f1", {"vlan": ["lan", "storage"]}),
        ("/vlans/lan", {"subnet": ["lan4", "lan6"]}),
        ("/zones/z", {"node": ["m1"]}),
        ("/pools/p", {"node": ["m1"]}),
        ("/subnets/lan4", {"address": ["192.0.2.9"]}),
        ("/vlans/storage", {"interface": ["52:54:00:00:00:01"]}),
    ],
)
def test_what_is_in_use_is_not_deleted(net: World, path: str, used_by: dict[str, list[str]]) -> None:
    net.add_node("m1", zone="z", pool="p", interfaces=[{"mac": "52:54:00:00:00:01", "vlan": "storage"}])
    net.ask("PUT", "/subnets/lan4/addresses/192.0.2.9", {})
    assert net.ask("DELETE", path, expect=409)["used_by"] == used_by
    net.get(path)


def test_what_is_not_in_use_is_deleted(net: World) -> None:
    put(net, "/zones/z", 201, description="row 7")
    assert net.get("/zones/z")["description"] == "row 7"
    put(net, "/subnets/lan4", 200, ranges=[{"kind": "boot", "first": "192.0.2.100", "last": "192.0.2.199"}])
    put(net, "/pools/p")
    for path in ("/subnets/lan4", "/subnets/lan6", "/vlans/lan", "/vlans/storage", "/spaces/inside", "/fabrics/f1", "/zones/z", "/pools/p"):
        net.ask("DELETE", path, expect=204)
        net.get(path, expect=404)
    assert net.events("subnet.deleted")[0]["detail"]["name"] == "lan4"
    for path in ("/zones/default", "/pools/default"):
        assert "default_" in net.ask("DELETE", path, expect=409)["detail"]


def test_users_read_and_administrators_change(net: World) -> None:
    for path in ("/spaces", "/fabrics", "/vlans", "/subnets", "/zones", "/subnets/lan4", "/subnets/lan4/addresses"):
        net.get(path, token=net.user)
    for method, path in (("PUT", "/subnets/lan4"), ("DELETE", "/vlans/lan"), ("PUT", "/zones/z"), ("DELETE", "/pools/default"),
                         ("PUT", "/subnets/lan4/addresses/192.0.2.9"), ("DELETE", "/subnets/lan4/addresses/192.0.2.9")):  # fmt: skip
        net.ask(method, path, {}, token=net.user, expect=403)


def test_ranges_and_reservations_keep_out_of_one_another(net: World) -> None:
    boot = {"kind": "boot", "first": "192.0.2.100", "last": "192.0.2.199", "comment": "dnsmasq"}
    changed = put(net, "/subnets/lan4", 200, ranges=[boot, {"kind": "reserved", "first": "192.0.2.2", "last": "192.0.2.9"}])
    assert changed["ranges"] == [boot, {"kind": "reserved", "first": "192.0.2.2", "last": "192.0.2.9", "comment": ""}]
    assert (changed["version"], changed["use"]["assignable"]) == (2, 253 - 100 - 8)
    assert put(net, "/subnets/lan4", 200, ranges=changed["ranges"])["version"] == 2
    for ip, why in (("192.0.2.150", "boot range"), ("192.0.2.5", "reserved range"), ("192.0.2.1", "gateway"), ("10.0.0.1", "not in")):
        assert why in net.ask("PUT", f"/subnets/lan4/addresses/{ip}", {}, expect=422)["detail"]
    net.ask("PUT", "/subnets/lan4/addresses/192.0.2.20", {"comment": "printer"})
    answer = put(net, "/subnets/lan4", 409, ranges=[boot | {"first": "192.0.2.20"}])
    assert (answer["field"], answer["value"]) == ("ranges", "192.0.2.20")
    assert put(net, "/subnets/lan4", 409, cidr="192.0.2.0/25")["field"] == "cidr"
    taken = net.get("/subnets/lan4/addresses")["items"]
    net.ask("PUT", "/subnets/lan4/addresses/192.0.2.30", {})
    first = net.get("/subnets/lan4/addresses?limit=1")
    second = net.get(f"/subnets/lan4/addresses?limit=1&after={first['next']}")
    assert [one["ip"] for one in first["items"] + second["items"]] == ["192.0.2.20", "192.0.2.30"] and second["next"] is None
    net.get("/subnets/lan4/addresses?after=nonsense", expect=422)
    net.ask("DELETE", "/subnets/lan4/addresses/192.0.2.30", expect=204)
    assert [(one["ip"], one["kind"], one["comment"], one["node"]) for one in taken] == [("192.0.2.20", "reserved", "printer", None)]
    assert net.get("/subnets/lan4")["use"] == {"total": 256, "assignable": 145, "taken": 1, "free": 144}
    net.ask("DELETE", "/subnets/lan4/addresses/192.0.2.20", expect=204)
    net.ask("DELETE", "/subnets/lan4/addresses/192.0.2.20", expect=404)
    put(net, "/subnets/lan4", 200, ranges=[boot | {"first": "192.0.2.20"}])
