"""Every word of constraints, on a pool that shows the difference; nothing is written, so one pool serves many cases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from inventory_service import pick
from inventory_service.auth import Caller
from inventory_service.models import Fabric, Interface, Node, Space, Subnet, Vlan
from inventory_service.wanted import Wanted
from tests.service.world import GIB, World

A100 = {"address": "0000:41:00.0", "class": "0302", "class_name": "3D controller", "vendor_id": "10de", "device_id": "20b5",
        "vendor": "NVIDIA Corporation", "device": "GA100 [A100 PCIe 80GB]", "driver": None}  # fmt: skip
ASPEED = {"address": "0000:03:00.0", "class": "0300", "class_name": "VGA compatible controller", "vendor_id": "1a03",
          "device_id": "2000", "vendor": "ASPEED Technology, Inc.", "device": "ASPEED Graphics Family", "driver": "ast"}  # fmt: skip
RADEON = ASPEED | {"vendor_id": "1002", "device_id": "744c", "vendor": "AMD/ATI", "device": "Navi 31", "driver": "amdgpu"}
CONNECTX = {"address": "0000:5e:00.0", "class": "0200", "class_name": "Ethernet controller", "vendor_id": "15b3",
            "device_id": "1017", "vendor": "Mellanox Technologies", "device": "MT27800 [ConnectX-5]", "driver": "mlx5_core"}  # fmt: skip
DONGLE = {"bus": 1, "vendor_id": "0529", "device_id": "0001", "product": "HASP"}


def _nic(mac: str, name: str, speed: int, driver: str = "mlx5_core") -> dict[str, Any]:
    return {"mac": mac, "name": name, "speed_mbps": speed, "driver": driver, "link": True}


def _pool(world: World) -> None:
    """small: little of all; disky: many disks; gpu: two A100 and two fast interfaces; big: much of all, in zone b."""
    world.ready_node("small", cpus=2, memory=4 * GIB, firmware="bios", disks=[("S1", "ssd", 100)], tags=["old"], parts={
        "cpu": {"arch": "x86_64", "threads": 2, "mhz_max": 2000}, "pci": [ASPEED], "usb": [DONGLE]})  # fmt: skip
    world.ready_node("disky", cpus=8, memory=16 * GIB, zone="b", tags=["fast", "ssd"], parts={"pci": [ASPEED]}, disks=[
        ("K1", "nvme", 2000), ("K2", "nvme", 1000), ("K3", "hdd", 4000), ("K4", "hdd", 4000), ("K5", "ssd", 400)])  # fmt: skip
    world.ready_node("gpu", cpus=16, memory=64 * GIB, disks=[("G1", "nvme", 500)], tags=["fast"], parts={
        "cpu": {"arch": "amd64", "threads": 16, "mhz_max": 3500}, "pci": [ASPEED, A100, A100, CONNECTX],
        "numa": [{"node": 0, "cpus": [0, 1], "memory_bytes": GIB}, {"node": 1, "cpus": [2, 3], "memory_bytes": GIB}],
        "tpm": {"present": True, "version": "2.0"},
        "interfaces": [_nic("52:54:00:aa:00:01", "e1", 25000), _nic("52:54:00:aa:00:02", "e2", 10000, "ixgbe")]})  # fmt: skip
    world.ready_node("big", cpus=64, memory=256 * GIB, zone="b", arch="aarch64", disks=[("B1", "ssd", 8000)], parts={
        "pci": [RADEON], "interfaces": [_nic("52:54:00:aa:00:03", "e1", 10000)]})  # fmt: skip


def _networks(world: World) -> None:
    """gpu is on lab (e1) and store (e2), big on store; far has nobody."""
    with world.services.database.write() as session:
        fabrics = {name: Fabric(name=name) for name in ("f1", "f2")}
        space = Space(name="inner")
        session.add_all([*fabrics.values(), space])
        session.flush()
        vlans = {
            "lab": Vlan(name="lab", vid=10, fabric_id=fabrics["f1"].id, space_id=space.id),
            "store": Vlan(name="store", vid=20, fabric_id=fabrics["f1"].id),
            "far": Vlan(name="far", vid=10, fabric_id=fabrics["f2"].id),
        }
        session.add_all(vlans.values())
        session.flush()
        for name, vlan in vlans.items():
            session.add(Subnet(name=f"{name}-net", cidr=f"10.{vlan.id}.0.0/16", vlan_id=vlan.id))
        for node, interface, vlan_name in (("gpu", "e1", "lab"), ("gpu", "e2", "store"), ("big", "e1", "store")):
            query = select(Interface).join(Node).where(Node.name == node, Interface.name == interface)
            session.scalars(query).one().vlan_id = vlans[vlan_name].id


WORDS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["small", "disky", "gpu", "big"]),
    ({"mem": "16G"}, ["disky", "gpu", "big"]),
    ({"mem": "16G..64G"}, ["disky", "gpu"]),
    ({"mem": "..16G"}, ["small", "disky"]),
    ({"mem": "65G.."}, ["big"]),
    ({"cpus": "8..16"}, ["disky", "gpu"]),
    ({"cpus": 64}, ["big"]),
    ({"cpu_speed": "2.5GHz"}, ["gpu"]),
    ({"cpu_speed": "..2000"}, ["small"]),
    ({"node": "gpu,big"}, ["gpu", "big"]),
    ({"not_node": ["gpu", "big"]}, ["small", "disky"]),
    ({"arch": "arm64"}, ["big"]),
    ({"arch": "arm64,amd64", "cpus": "16"}, ["gpu", "big"]),
    ({"not_arch": "aarch64", "cpus": "16"}, ["gpu"]),
    ({"tags": "fast"}, ["disky", "gpu"]),
    ({"tag": "fast,ssd"}, ["disky"]),
    ({"tags": "fast", "not_tags": ["ssd", "old"]}, ["gpu"]),
    ({"not_tag": "fast,old"}, ["big"]),
    ({"zone": "b"}, ["disky", "big"]),
    ({"zone": "b,default", "mem": "64G"}, ["gpu", "big"]),
    ({"not_zone": "b"}, ["small", "gpu"]),
    ({"pool": "default", "not_pool": "rest"}, ["small", "disky", "gpu", "big"]),
    ({"fabric": "f1"}, ["gpu", "big"]),
    ({"not_fabric": "f1"}, ["small", "disky"]),
    ({"fabric": "f2"}, []),
    ({"vlan": "lab"}, ["gpu"]),
    ({"vlan": "20"}, ["gpu", "big"]),
    ({"vlan": 10}, ["gpu"]),
    ({"not_vlan": "lab", "fabric": "f1"}, ["big"]),
    ({"subnet": "lab-net"}, ["gpu"]),
    ({"subnet": "lab-net,store-net"}, ["gpu", "big"]),
    ({"subnet": "10.2.0.0/16"}, ["gpu", "big"]),
    ({"not_subnet": "lab-net", "subnet": "store-net"}, ["big"]),
    ({"space": "inner"}, ["gpu"]),
    ({"link_speed": "10G"}, ["gpu", "big"]),
    ({"link_speed": "10000M..20000"}, ["big"]),
    ({"link_speed": 25000}, ["gpu"]),
    ({"power": "on"}, []),
    ({"power": True}, []),
    ({"power": "off,unknown", "cpus": 64}, ["big"]),
    ({"firmware": "bios"}, ["small"]),
    ({"tpm": "2.0"}, ["gpu"]),
    ({"tpm": 2.0}, ["gpu"]),
    ({"tpm": "any"}, ["gpu"]),
    ({"tpm": "none", "cpus": "16"}, ["big"]),
    ({"numa": 2}, ["gpu"]),
    ({"gpus": 2}, ["gpu"]),
    ({"gpus": "1..1"}, ["big"]),
    ({"gpus": "1"}, ["gpu", "big"]),
    ({"disks": "1T nvme"}, ["disky"]),
    ({"disks": "900G nvme"}, ["disky"]),
    ({"disks": "2 x nvme 900G"}, ["disky"]),
    ({"disks": "2 x nvme 1100G"}, []),
    ({"disks": "nvme 1500G, nvme 900G"}, ["disky"]),
    ({"disks": "900G nvme, 1500G nvme"}, ["disky"]),
    ({"disks": "nvme, nvme, nvme"}, []),
    ({"disks": "nvme, 2 x hdd 2T.., ssd ..500G"}, ["disky"]),
    ({"disks": [{"size": "300G..900G", "kind": "nvme|ssd"}]}, ["disky", "gpu"]),
    ({"disks": '[{"kind": "hdd", "count": 2}]'}, ["disky"]),
    ({"disks": "ssd, 4 x 300G"}, ["disky"]),
    ({"disks": "5 x 100G"}, ["disky"]),
    ({"disks": "6 x 100G"}, []),
    ({"disks": "serial=K3"}, ["disky"]),
    ({"disks": "nvme tag=cache"}, ["disky"]),
    ({"disks": "nvme tag=cache tag=quick"}, ["disky"]),
    ({"disks": "hdd tag=cache"}, []),
    ({"interfaces": "25G"}, ["gpu"]),
    ({"interfaces": "2 x 10G"}, ["gpu"]),
    ({"interfaces": "subnet=store-net speed=10G"}, ["gpu", "big"]),
    ({"interfaces": "subnet=store-net speed=25G"}, []),
    ({"interfaces": "vlan=lab, driver=ixgbe link=up"}, ["gpu"]),
    ({"interfaces": [{"fabric": "f1", "count": 2, "kind": "physical"}]}, ["gpu"]),
    ({"interfaces": "space=inner driver=ixgbe"}, []),
    ({"devices": "gpu"}, ["gpu", "big"]),
    ({"devices": "2 x gpu model=A100"}, ["gpu"]),
    ({"devices": "3 x gpu"}, []),
    ({"devices": "vendor=10DE product=20b5"}, ["gpu"]),
    ({"devices": "vendor=nvidia"}, ["gpu"]),
    ({"devices": "vendor=15b3, 2 x gpu"}, ["gpu"]),
    ({"devices": "class=02 driver=MLX5_core"}, ["gpu"]),
    ({"devices": "class=ethernet"}, ["gpu"]),
    ({"devices": "bus=usb product=hasp"}, ["small"]),
    ({"devices": [{"product": "ConnectX-5"}]}, ["gpu"]),
    ({"devices": "model='A100 PCIe'"}, ["gpu"]),
    ({"mem": "", "disks": [], "devices": None, "interfaces": ""}, ["small", "disky", "gpu", "big"]),
]  # fmt: skip

PREFERENCES: list[tuple[Any, dict[str, Any], list[str]]] = [
    ("zone=b", {}, ["disky", "big", "small", "gpu"]),
    ({"tags": "fast"}, {}, ["disky", "gpu", "small", "big"]),
    ("tags=fast, mem=64G..", {}, ["gpu", "disky", "big", "small"]),
    (["mem=64G..", {"tags": "fast"}], {}, ["gpu", "big", "disky", "small"]),
    ("node=gpu,big", {}, ["gpu", "big", "small", "disky"]),
    ("gpus=7", {"cpus": 8}, ["disky", "gpu", "big"]),
]

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"mem": "64G..32G"}, "mem", "range"),
    ({"mem": ".."}, "mem", "range"),
    ({"mem": ["1G", "2G"]}, "mem", ""),
    ({"cpus": "0.."}, "cpus", "whole number"),
    ({"cpu_speed": "fast"}, "cpu_speed", "2.4GHz"),
    ({"link_speed": "10X"}, "link_speed", "25G"),
    ({"arch": "amd64,z80"}, "arch", "arm64"),
    ({"node": "gpu,nobody"}, "node", "name"),
    ({"not_zone": "nowhere"}, "not_zone", "default"),
    ({"fabric": "f9"}, "fabric", "f1"),
    ({"vlan": "99"}, "vlan", "lab"),
    ({"subnet": "10.9.0.0/16"}, "subnet", "lab-net"),
    ({"space": "outer"}, "space", "inner"),
    ({"power": "maybe"}, "power", "off"),
    ({"firmware": "coreboot"}, "firmware", "uefi"),
    ({"tpm": "3.0"}, "tpm", "2.0"),
    ({"gpus": "many"}, "gpus", "whole number"),
    ({"disks": "1T floppy"}, "disks.0", "nvme"),
    ({"disks": "1T, size=banana"}, "disks.1.size", "32G"),
    ({"disks": [{"size": "1T", "colour": "red"}]}, "disks.0.colour", "kind"),
    ({"disks": [{"count": 0}]}, "disks.0.count", "64"),
    ({"disks": 7}, "disks", "nvme"),
    ({"disks": "[{"}, "disks", "nvme"),
    ({"disks": "1T 2T"}, "disks.0", "nvme"),
    ({"disks": ",".join(["ssd"] * 7)}, "disks", "6"),
    ({"disks": "kind=tape"}, "disks.0.kind", "hdd"),
    ({"interfaces": "subnet=nowhere"}, "interfaces.0.subnet", "lab-net"),
    ({"interfaces": "link=perhaps"}, "interfaces.0.link", "down"),
    ({"devices": "gpu model='A100"}, "devices.0", "gpu"),
    ({"devices": "spoon"}, "devices.0", "gpu"),
    ({"not_mem": "1G"}, "not_mem", "not_tags"),
]


def test_every_word(still_world: World) -> None:
    world = still_world
    world.add_node("spare", pool="rest")
    _pool_without_engine(world)
    _networks(world)
    tags = [{"disk": "K1", "tags": ["cache"]}, {"disk": "K2", "tags": ["cache", "quick"]}]
    world.ask("PATCH", "/nodes/disky", {"disks": tags})
    wrong = [(words, found) for words, expected in WORDS if (found := world.picks(**words)) != expected]
    assert not wrong, wrong
    for prefer, words, expected in PREFERENCES:
        if expected:
            assert world.picks(prefer, **words) == expected, prefer
    for words, field, allowed in REFUSED:
        refused = world.plan(constraints=words, expect=422)
        assert refused["field"] == f"constraints.{field}", words
        assert allowed in str(refused.get("allowed", "")), words
    for prefer, field in (("zone=nowhere", "prefer.zone"), ("spoon=1", "prefer.spoon"), ("a", "prefer"), ({"where": "1"}, "prefer.where")):
        assert world.plan(prefer=prefer, expect=422)["field"] == field


@pytest.mark.parametrize(("first", "few"), [(1, 100), (2, 100), (1, 0)])
def test_pick_finds_the_best_from_wherever_it_begins(
    still_world: World, monkeypatch: pytest.MonkeyPatch, first: int, few: int
) -> None:
    monkeypatch.setattr(pick, "_FIRST", first)
    monkeypatch.setattr(pick, "_FEW", few)
    world = still_world
    _pool_without_engine(world)
    _networks(world)
    words = [(one, expected[:1]) for one, expected in WORDS if not {"pool", "not_pool", "disks"} & one.keys()]
    words += [({"tag": "fast", "subnet": "store-net"}, ["gpu"]), ({"tag": "old", "subnet": "lab-net"}, [])]
    wrong = [(one, found) for one, expected in words if (found := _picked(world, one)) != expected]
    assert not wrong, wrong
    assert _picked(world, {"tag": "fast"}, prefer="mem=64G, tags=old") == ["gpu"], "a preference goes before the cost"


def _picked(world: World, constraints: dict[str, Any], prefer: Any = None) -> list[str]:
    """What a pick takes; it is given back at once."""
    asks = Caller(1, "admin", "admin", token_id=0)
    with world.services.database.write() as session:
        request = pick.understand(session, asks, Wanted(constraints=constraints, prefer=prefer, deploy=False))
        moved = pick.pick(session, request)
        session.rollback()
    return [moved.name] if moved else []


def _pool_without_engine(world: World) -> None:
    """Commissioned by an engine, which is stopped again."""
    world.start_engine()
    _pool(world)
    world.stop_engine()
