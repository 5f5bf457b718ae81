"""Fixed addresses: assigned with the node, one holder at a time, free when the release has ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from inventory_service import clock
from inventory_service.models import Address, Subnet
from tests.service.world import Work, World, until

SUBNET = {"vlan": "lan", "cidr": "203.0.113.0/28", "gateway": "203.0.113.1", "dns_servers": ["203.0.113.2", "9.9.9.9"], "assign": True,
          "ranges": [{"kind": "boot", "first": "203.0.113.8", "last": "203.0.113.14"}]}  # fmt: skip
FREE = ["203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6", "203.0.113.7"]


@pytest.fixture
def net(world: World) -> World:
    """A VLAN with a small subnet that assigns, and an image."""
    world.image()
    world.ask("PUT", "/fabrics/f1", {})
    world.ask("PUT", "/vlans/lan", {"fabric": "f1", "vid": 0, "mtu": 1400})
    world.ask("PUT", "/subnets/lan4", SUBNET)
    return world


def ready(world: World, name: str, **more: Any) -> dict[str, Any]:
    node = world.ready_node(name)
    mac = node["interfaces"][0]["mac"]
    world.ask("PATCH", f"/nodes/{name}", {"interfaces": [{"mac": mac, "vlan": "lan"} | more]})
    shown: dict[str, Any] = world.get(f"/nodes/{name}")
    return shown


def ips(document: dict[str, Any]) -> list[str]:
    return [one["ip"] for one in document["addresses"]]


def test_the_lowest_free_address_is_given_and_shown(net: World) -> None:
    node = ready(net, "m1")
    ready(net, "m2")
    held = net.acquire("web", deploy=False)
    mac = node["interfaces"][0]["mac"]
    assert held["addresses"] == [{"subnet": "lan4", "ip": "203.0.113.3", "interface": mac}]
    assert ips(net.acquire("db", deploy=False)) == ["203.0.113.4"]
    assert net.get("/nodes/m1")["interfaces"][0]["addresses"] == ["203.0.113.3"]
    taken = net.get("/subnets/lan4/addresses")["items"]
    assert [(one["ip"], one["node"], one["allocation"]) for one in taken] == [
        ("203.0.113.3", "m1", "web"), ("203.0.113.4", "m2", "db"),
    ]  # fmt: skip
    assert [one["node"] for one in net.get("/subnets/lan4/addresses", token=net.other)["items"]] == [None, None]
    assert net.get("/subnets/lan4")["use"] == {"total": 16, "assignable": 5, "taken": 2, "free": 3}
    assert net.events("addresses.assigned", "m1")[0]["allocation"] == "web"


def test_it_is_kept_while_the_node_is_held_and_free_after_the_release(net: World) -> None:
    ready(net, "m1")
    net.acquire("web")
    work = Work(net, "m1")
    assert work.claim["network"] == [
        {"mac": work.mac, "name": None, "dhcp": False, "addresses": ["203.0.113.3/28"], "gateways": ["203.0.113.1"],
         "dns": ["203.0.113.2", "9.9.9.9"], "mtu": 1400},
    ]  # fmt: skip
    work.deploy()
    until(lambda: net.get("/allocations/web")["state"] == "active")
    host = net.get("/inventory")["hosts"][0]
    assert host["addresses"] == [{"subnet": "lan4", "ip": "203.0.113.3", "interface": work.mac}]
    net.post("/allocations/web/deploy", {})
    again = Work(net, "m1")
    assert again.claim["network"] == work.claim["network"]
    again.deploy()
    until(lambda: net.get("/allocations/web")["state"] == "active")
    net.ask("DELETE", "/allocations/web")
    assert net.get("/subnets/lan4")["use"]["taken"] == 1, "not free before the release has ended"
    release = Work(net, "m1")
    assert release.claim["network"] == work.claim["network"]
    release.release()
    until(lambda: net.get("/allocations/web")["state"] == "released")
    assert (ips(net.get("/allocations/web")), net.get("/subnets/lan4")["use"]["taken"]) == ([], 0)
    assert net.events("addresses.freed")[0]["detail"]["addresses"] == ["203.0.113.3"]


def test_an_interface_that_holds_an_address_stays(net: World) -> None:
    mac = ready(net, "m1")["interfaces"][0]["mac"]
    net.acquire("web", deploy=False)
    answer = net.ask("PATCH", "/nodes/m1", {"interfaces": [{"mac": "52:54:00:bb:00:01"}]}, expect=409)
    assert answer["value"] == mac and "203.0.113.3" in answer["detail"]
    assert [one["mac"] for one in net.get("/nodes/m1")["interfaces"]] == [mac]


def test_a_node_that_is_taken_out_gives_its_addresses_back(net: World) -> None:
    ready(net, "m1")
    net.acquire("web", deploy=False)
    net.ask("DELETE", "/allocations/web")
    Work(net, "m1").result("failed", "the BMC is gone")
    until(lambda: net.get("/nodes/m1")["state"] == "failed_releasing")
    net.post("/nodes/m1/state", {"verb": "retire", "comment": "dead"})
    assert net.get("/subnets/lan4")["use"]["taken"] == 0


def test_one_may_be_asked_for_and_is_refused_when_it_is_taken(net: World) -> None:
    ready(net, "m1")
    ready(net, "m2")
    assert ips(net.acquire("web", deploy=False, addresses={"lan4": "203.0.113.6"})) == ["203.0.113.6"]
    answer = net.acquire("db", deploy=False, addresses={"lan4": "203.0.113.6"}, expect=409)
    assert "addresses.lan4" in answer["detail"] and "203.0.113.6" in answer["detail"]
    assert ips(net.acquire("db", deploy=False)) == ["203.0.113.3"]
    for name, ip, field in (("lan4", "203.0.113.9", "addresses.lan4"), ("lan4", "203.0.113.0", "addresses.lan4"),
                            ("lan4", "203.0.113.1", "addresses.lan4"), ("lan4", "10.0.0.1", "addresses.lan4"),
                            ("lan4", "x", "addresses.lan4"), ("nowhere", "203.0.113.5", "addresses.nowhere")):  # fmt: skip
        assert net.acquire("bad", deploy=False, addresses={name: ip}, expect=422)["field"] == field
    assert net.get("/subnets/lan4")["use"]["taken"] == 2


def test_a_node_elsewhere_is_not_picked_for_it(net: World) -> None:
    net.ready_node("m1")
    answer = net.acquire("web", deploy=False, addresses={"lan4": "203.0.113.6"}, expect=409)
    assert answer["type"] == "nothing-fits"
    ready(net, "m2")
    assert net.acquire("web", deploy=False, addresses={"lan4": "203.0.113.6"})["node"] == "m2"


def test_none_left_is_said_and_nothing_is_taken(net: World) -> None:
    for number, ip in enumerate(FREE):
        net.ask("PUT", f"/subnets/lan4/addresses/{ip}", {"comment": str(number)})
    ready(net, "m1")
    answer = net.acquire("web", deploy=False, expect=409)
    assert (answer["type"], answer["field"], answer["value"]) == ("no-address", "subnet", "lan4")
    assert net.get("/nodes/m1")["state"] == "ready"
    net.ask("DELETE", "/subnets/lan4/addresses/203.0.113.5", expect=204)
    assert ips(net.acquire("web", deploy=False)) == ["203.0.113.5"]


def test_what_is_reserved_for_an_interface_is_given_to_it(net: World) -> None:
    mac = ready(net, "m1")["interfaces"][0]["mac"]
    ready(net, "m2")
    net.ask("PUT", "/subnets/lan4/addresses/203.0.113.5", {"interface": mac, "comment": "by contract"})
    assert ips(net.acquire("other", deploy=False, constraints={"node": "m2"})) == ["203.0.113.3"]
    net.acquire("no", deploy=False, constraints={"node": "m2"}, addresses={"lan4": "203.0.113.5"}, expect=409)
    assert ips(net.acquire("web", deploy=False, constraints={"node": "m1"})) == ["203.0.113.5"]
    net.ask("DELETE", "/subnets/lan4/addresses/203.0.113.5", expect=409)
    net.ask("DELETE", "/allocations/web")
    Work(net, "m1").release()
    until(lambda: net.get("/allocations/web")["state"] == "released")
    kept = [(one["ip"], one["kind"], one["interface"], one["allocation"]) for one in net.get("/subnets/lan4/addresses")["items"]]
    assert kept[1] == ("203.0.113.5", "reserved", mac, None)


def test_a_bmcs_address_is_not_given_away(net: World) -> None:
    ready(net, "m1")
    net.ask("PATCH", "/nodes/m1", {"bmc": {"address": "203.0.113.3"}})
    assert ips(net.acquire("web", deploy=False)) == ["203.0.113.4"]


def test_ipv6_and_ipv4_on_one_interface(net: World) -> None:
    net.ask("PUT", "/subnets/lan6", {"vlan": "lan", "cidr": "2001:db8::/64", "gateway": "fe80::1", "assign": True,
                                     "ranges": [{"kind": "reserved", "first": "2001:db8::1", "last": "2001:db8::ffff"}]})  # fmt: skip
    ready(net, "m1")
    ready(net, "m2")
    assert ips(net.acquire("web")) == ["203.0.113.3", "2001:db8::1:0"]
    network = Work(net, "m1").claim["network"]
    assert (network[0]["addresses"], network[0]["gateways"]) == (["203.0.113.3/28", "2001:db8::1:0/64"], ["203.0.113.1", "fe80::1"])
    far = "2001:db8::ffff:ffff:ffff:fff0"
    assert ips(net.acquire("db", deploy=False, addresses={"lan6": far})) == ["203.0.113.4", far]
    assert net.get("/subnets/lan6")["use"]["taken"] == 2


def test_only_ipv6_leaves_ipv4_to_dhcp(net: World) -> None:
    net.ask("PUT", "/subnets/lan4", {"assign": False})
    net.ask("PUT", "/subnets/lan6", {"vlan": "lan", "cidr": "2001:db8::/64", "assign": True})
    ready(net, "m1")
    net.acquire("web")
    network = Work(net, "m1").claim["network"]
    assert (network[0]["dhcp"], network[0]["addresses"], network[0]["gateways"]) == (True, ["2001:db8::1/64"], [])


def test_there_is_one_default_route(net: World) -> None:
    net.ask("PUT", "/vlans/storage", {"fabric": "f1", "vid": 7})
    net.ask("PUT", "/subnets/storage4", {"vlan": "storage", "cidr": "198.51.100.0/24", "gateway": "198.51.100.1", "assign": True})
    mac = ready(net, "m1")["interfaces"][0]["mac"]
    net.ask("PATCH", "/nodes/m1", {"interfaces": [{"mac": mac}, {"mac": "52:54:00:bb:00:01", "vlan": "storage"}]})
    net.acquire("web")
    network = Work(net, "m1").claim["network"]
    assert [(one["addresses"], one["gateways"]) for one in network] == [
        (["203.0.113.3/28"], ["203.0.113.1"]), (["198.51.100.2/24"], []),
    ]  # fmt: skip


def test_one_holder_whoever_asks_at_the_same_moment(net: World) -> None:
    names = [f"m{number}" for number in range(4)]
    for name in names:
        ready(net, name)
    body = {"deploy": False, "image": "debian-12", "addresses": {"lan4": "203.0.113.6"}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: net.call("POST", "/allocations", body | {"name": f"a{number}"}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    winner = next(answer.get_json() for answer in answers if answer.status_code == 201)
    assert ips(winner) == ["203.0.113.6"]
    with ThreadPoolExecutor(3) as pool:
        others = list(pool.map(lambda number: net.acquire(f"b{number}", deploy=False), range(3)))
    assert sorted(ip for one in others for ip in ips(one)) == FREE[:3]
    assert len(net.get("/allocations")["items"]) == 4


def test_the_lowest_free_is_found_among_many(net: World) -> None:
    net.ask("PUT", "/subnets/lan4", {"cidr": "10.0.0.0/22", "gateway": None, "dns_servers": [], "ranges": []})
    with net.services.database.write() as session:
        subnet = session.scalars(select(Subnet)).one()
        session.add_all(
            Address(subnet_id=subnet.id, ip=f"10.0.{number >> 8}.{number & 255}", position=number, kind="reserved", created_at=clock.now())
            for number in range(1, 700)
            if number != 333
        )
    ready(net, "m1")
    ready(net, "m2")
    assert ips(net.acquire("a", deploy=False)) == ["10.0.1.77"]
    assert ips(net.acquire("b", deploy=False)) == ["10.0.2.188"]
