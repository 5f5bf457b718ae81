"""Pools of made-up nodes, for trying the service out at size and for its figures: fast, varied, and the same each time."""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from inventory_service import clock
from inventory_service.bulk import bulk_insert
from inventory_service.cost import hardware_cost
from inventory_service.models import (
    Bmc,
    Device,
    Disk,
    Fabric,
    Interface,
    Node,
    NodeFacts,
    NodeTag,
    NumaNode,
    Space,
    Subnet,
    Vlan,
)
from inventory_service.places import ensure_pool, ensure_zone, find_rack

GIB = 1 << 30
TIB = 1 << 40
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class _Product:
    """A kind of server that sites buy: what it comes with, and how many of a hundred nodes are of this kind."""

    share: int
    vendor: str
    product: str
    arch: str
    cpus: tuple[int, ...]
    memory_gib: tuple[int, ...]
    disks: tuple[tuple[int, str, int], ...]
    """Count, kind, size in bytes."""
    speed_mbps: int
    sockets: int = 1
    gpus: tuple[int, str, str, str] = (0, "", "", "")
    """Count, PCI vendor id, PCI product id, name."""


_PRODUCTS = (
    _Product(18, "Supermicro", "SYS-5019", "amd64", (4, 8), (8, 16, 32), ((1, "ssd", 240 * GIB),), 1_000),
    _Product(16, "Dell Inc.", "PowerEdge R350", "amd64", (8, 16), (32, 64), ((2, "ssd", 480 * GIB),), 10_000),
    _Product(14, "HPE", "ProLiant DL360", "amd64", (32, 48), (64, 128), ((2, "ssd", 960 * GIB), (4, "hdd", 2 * TIB)), 10_000, 2),
    _Product(14, "Dell Inc.", "PowerEdge R650", "amd64", (64, 96), (256, 512), ((2, "nvme", 1 * TIB),), 25_000, 2),
    _Product(10, "Lenovo", "ThinkSystem SR645", "amd64", (128, 192), (512, 1024), ((4, "nvme", 2 * TIB),), 25_000, 2),
    _Product(8, "Ampere", "Mt. Collins", "arm64", (80, 160), (256, 512), ((1, "nvme", 1 * TIB),), 25_000, 2),
    _Product(6, "HPE", "Apollo 4200", "amd64", (32,), (128,), ((2, "ssd", 480 * GIB), (12, "hdd", 12 * TIB)), 25_000, 2),
    _Product(6, "Supermicro", "ARS-110M", "arm64", (32, 64), (64, 128), ((1, "ssd", 480 * GIB),), 10_000),
    _Product(4, "Lenovo", "ThinkSystem SR950", "amd64", (224, 256), (2048, 4096), ((2, "nvme", 4 * TIB),), 100_000, 4),
    _Product(2, "Dell Inc.", "PowerEdge XE8545", "amd64", (128,), (1024,), ((2, "nvme", 4 * TIB),), 100_000, 2,
             (4, "10de", "20b2", "A100-SXM4-80GB")),
    _Product(1, "Supermicro", "SYS-821GE", "amd64", (192,), (2048,), ((4, "nvme", 4 * TIB),), 100_000, 2,
             (8, "10de", "2330", "H100-SXM5-80GB")),
    _Product(1, "Supermicro", "AS-2114GT", "amd64", (64,), (512,), ((1, "nvme", 2 * TIB),), 25_000, 1,
             (2, "1002", "740f", "Instinct MI210")),
)  # fmt: skip

ZONES = tuple(f"row-{number}" for number in range(1, 9))
POOLS = {"build": 4, "lab": 3, "research": 2, "spare": 1}
"""Pools by how many of ten nodes are in each."""
TAGS = {"burnt-in": 60, "rack-ups": 40, "sriov": 25, "secure-boot": 15, "dual-psu": 50, "quiet": 5}
"""Tags by how many of a hundred nodes have each."""


class _Rows:
    """Rows by table, inserted some thousand at a time; what a row leaves out is the column's default."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows: dict[Table, list[list[Any]]] = defaultdict(list)
        self._plans: dict[Table, tuple[list[str], dict[str, Any]]] = {}

    def add(self, model: Any, **values: Any) -> None:
        table: Table = model.__table__
        names, defaults = self._plans.setdefault(table, _plan(table, values))
        rows = self._rows[table]
        rows.append([values.get(name, defaults.get(name)) for name in names])

    def flush(self) -> None:
        """Insert what was added: parents first."""
        for table in Node.metadata.sorted_tables:
            rows = self._rows.pop(table, None)
            if rows:
                bulk_insert(self._session, table, self._plans[table][0], rows)


def _plan(table: Table, values: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The columns to fill, and what each is when a row does not say; ids are left to the database unless given,
    what it computes always."""
    defaults: dict[str, Any] = {}
    names = []
    for column in table.columns:
        if column.computed is not None or (column.name == "id" and "id" not in values):
            continue
        names.append(column.name)
        if isinstance(column.default, ScalarElementColumnDefault):
            defaults[column.name] = column.default.arg
        elif column.default is not None:  # an empty list or object
            defaults[column.name] = "[]" if column.type.python_type is list else "{}"
    return names, defaults


def seed(session: Session, rack: str, count: int, actor: str = "seed") -> None:
    """Add so many ready nodes, with the zones, pools and networks that they are in.

    :param rack: the rack that serves all of them
    """
    rows = _Rows(session)
    zones = {name: ensure_zone(session, name).id for name in ZONES}
    pools = {name: ensure_pool(session, name).id for name in POOLS}
    rack_id = find_rack(session, rack).id
    vlans = _networks(session, zones)
    first = (session.scalar(select(func.max(Node.id))) or 0) + 1
    chance = random.Random(first)  # noqa: S311 - variety, not secrets
    products = chance.choices(_PRODUCTS, [one.share for one in _PRODUCTS], k=count)
    for node_id, product in zip(range(first, first + count), products, strict=True):
        zone = chance.choice(ZONES)
        places = {
            "zone_id": zones[zone],
            "pool_id": pools[chance.choices(list(POOLS), list(POOLS.values()))[0]],
            "rack_id": rack_id,
        }
        _add_node(rows, chance, node_id, product, places, vlans[zone])
        if node_id % _ROWS_AT_ONCE == 0:
            rows.flush()
    rows.flush()


def _networks(session: Session, zones: dict[str, int]) -> dict[str, list[int]]:
    """Two VLANs, each with a subnet, for every zone; the ids of the VLANs by zone."""
    known = dict(session.execute(select(Vlan.name, Vlan.id)).all())
    if "row-1-boot" not in known:
        spaces = {name: Space(name=name) for name in ("internal", "storage")}
        fabrics = [Fabric(name=f"fabric-{letter}") for letter in "ab"]
        session.add_all([*spaces.values(), *fabrics])
        session.flush()
        for number, zone in enumerate(zones):
            for half, (kind, space) in enumerate((("boot", "internal"), ("data", "storage"))):
                fabric = fabrics[number % 2]
                vlan = Vlan(fabric_id=fabric.id, space_id=spaces[space].id, vid=100 + 10 * number + half, name=f"{zone}-{kind}")
                session.add(vlan)
                session.flush()
                network = f"10.{100 + 2 * number + half}"
                session.add(Subnet(vlan_id=vlan.id, name=f"{zone}-{kind}", cidr=f"{network}.0.0/16", gateway=f"{network}.0.1"))
        session.flush()
        known = dict(session.execute(select(Vlan.name, Vlan.id)).all())
    return {zone: [known[f"{zone}-boot"], known[f"{zone}-data"]] for zone in zones}


def _add_node(
    rows: _Rows, chance: random.Random, node_id: int, product: _Product, places: dict[str, int], vlans: list[int]
) -> None:
    now = clock.now().replace(tzinfo=None)  # as the tables keep moments
    cpus, memory = chance.choice(product.cpus), chance.choice(product.memory_gib) * GIB
    disks = list(_disks(node_id, product))
    smallest = min((disk for disk in disks if disk["kind"] == disks[0]["kind"]), key=lambda disk: int(disk["size_bytes"]))
    gpus, gpu_vendor, gpu_product, gpu_name = product.gpus
    storage = sum(disk["size_bytes"] for disk in disks)
    serial = f"SN{node_id:08d}"
    rows.add(
        Node,
        id=node_id,
        name=f"s{node_id:06d}",
        serial=serial,
        state="ready",
        **places,
        arch=product.arch,
        firmware="bios" if product.speed_mbps == 1_000 and node_id % 2 else "uefi",
        cpus=cpus,
        memory_bytes=memory,
        disk_bytes=smallest["size_bytes"],
        storage_bytes=storage,
        cpu_mhz=chance.choice((2100, 2400, 2900, 3400)),
        numa_nodes=product.sockets,
        link_mbps=product.speed_mbps,
        gpus=gpus,
        tpm="2.0" if node_id % 5 else None,
        cost=hardware_cost(cpus, memory, storage, gpus),
        power_state="off",
        vendor=product.vendor,
        product=product.product,
        root_disk=disks[0]["serial"] if len([disk for disk in disks if disk["kind"] == disks[0]["kind"]]) == 1 else None,
        idle_since=now,
        created_at=now,
        updated_at=now,
    )
    rows.add(Bmc, node_id=node_id, address=f"10.{1 + (node_id >> 16)}.{node_id >> 8 & 255}.{node_id & 255}", username="metalpool")
    for index, vlan in enumerate(vlans):
        mac = f"02:{index:02x}:{node_id >> 24 & 255:02x}:{node_id >> 16 & 255:02x}:{node_id >> 8 & 255:02x}:{node_id & 255:02x}"
        speed = product.speed_mbps if index else min(product.speed_mbps, 10_000)
        rows.add(Interface, node_id=node_id, name=f"eno{index + 1}", mac=mac, speed_mbps=speed, link=True, vlan_id=vlan)
    for disk in disks:
        rows.add(Disk, node_id=node_id, **disk)
    for index in range(gpus):
        rows.add(Device, node_id=node_id, bus="pci", address=f"0000:{0x40 + index:02x}:00.0", pci_class="0302",
                 class_name="3D controller", vendor_id=gpu_vendor, product_id=gpu_product, product=gpu_name, gpu=True)  # fmt: skip
    for number in range(product.sockets):
        rows.add(NumaNode, node_id=node_id, number=number, cpus=cpus // product.sockets, memory_bytes=memory // product.sockets)
    for tag, share in itertools.chain(TAGS.items(), (("gpu", 100 if gpus else 0),)):
        if chance.randrange(100) < share:
            rows.add(NodeTag, node_id=node_id, tag=tag)
    facts = {
        "system": {"vendor": product.vendor, "product": product.product, "serial": serial},
        "cpu": {"arch": product.arch, "threads": cpus},
        "memory": {"bytes": memory},
    }
    rows.add(NodeFacts, node_id=node_id, document=json.dumps(facts), at=now)


def _disks(node_id: int, product: _Product) -> Iterator[dict[str, Any]]:
    numbers = itertools.count(1)
    for count, kind, size in product.disks:
        for _one in range(count):
            number = next(numbers)
            yield {
                "name": f"nvme{number}n1" if kind == "nvme" else f"sd{chr(96 + number)}",
                "serial": f"D{node_id:08d}{number:02d}",
                "kind": kind,
                "size_bytes": size,
                "rotational": kind == "hdd",
            }
