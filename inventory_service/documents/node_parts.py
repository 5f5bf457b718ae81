"""The parts of nodes as answers show them: disks and interfaces with their tags, networks and addresses; devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from inventory_service.models import Address, Device, Disk, DiskTag, Fabric, Interface, InterfaceTag, NumaNode, Subnet, Vlan

_OF_DISK = ("name", "serial", "wwn", "model", "kind", "size_bytes", "rotational", "path", "wear_percent")
_OF_INTERFACE = ("name", "mac", "driver", "speed_mbps", "link", "lldp")
_IDS: BindParameter[int] = bindparam("ids", expanding=True)

# Of the tables, not of the classes: a page of a list has thousands of parts, and none of them is changed.
_disk, _disk_tag = Disk.__table__.c, DiskTag.__table__.c
_interface, _interface_tag = Interface.__table__.c, InterfaceTag.__table__.c
_vlan, _fabric, _subnet, _address = Vlan.__table__.c, Fabric.__table__.c, Subnet.__table__.c, Address.__table__.c
_DISKS = (
    select(_disk.node_id, _disk.id, *(_disk[name] for name in _OF_DISK))
    .where(_disk.node_id.in_(_IDS))
    .order_by(_disk.node_id, _disk.id)
)
_DISK_TAGS = (
    select(_disk_tag.disk_id, _disk_tag.tag)
    .join(Disk.__table__, _disk.id == _disk_tag.disk_id)
    .where(_disk.node_id.in_(_IDS))
    .order_by(_disk_tag.tag)
)
_INTERFACES = (
    select(_interface.node_id, _interface.id, _interface.vlan_id, _vlan.name, _fabric.name, *(_interface[name] for name in _OF_INTERFACE))
    .outerjoin_from(Interface.__table__, Vlan.__table__, _vlan.id == _interface.vlan_id)
    .outerjoin(Fabric.__table__, _fabric.id == _vlan.fabric_id)
    .where(_interface.node_id.in_(_IDS))
    .order_by(_interface.node_id, _interface.id)
)
_INTERFACE_TAGS = (
    select(_interface_tag.interface_id, _interface_tag.tag)
    .join(Interface.__table__, _interface.id == _interface_tag.interface_id)
    .where(_interface.node_id.in_(_IDS))
    .order_by(_interface_tag.tag)
)
_ADDRESSES = (
    select(_interface.id, _address.ip)
    .join(Address.__table__, _address.interface_id == _interface.id)
    .where(_interface.node_id.in_(_IDS))
    .order_by(_address.id)
)
_SUBNETS = select(_subnet.vlan_id, _subnet.name).where(_subnet.vlan_id.in_(_IDS)).order_by(_subnet.name)

Documents = Mapping[int, list[dict[str, Any]]]


def grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    """The second values of pairs by the first."""
    found: dict[int, list[Any]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def disk_documents(session: Session, node_ids: Sequence[int]) -> Documents:
    """The disks of nodes, by the node's id."""
    ids = {"ids": node_ids}
    tags = grouped(session.execute(_DISK_TAGS, ids))
    return grouped(
        (node_id, dict(zip(_OF_DISK, values, strict=True), tags=tags.get(disk_id, [])))
        for node_id, disk_id, *values in session.execute(_DISKS, ids)
    )


def interface_documents(session: Session, node_ids: Sequence[int]) -> Documents:
    """The interfaces of nodes, with the networks that they are on and the addresses that they hold, by the node's id."""
    ids = {"ids": node_ids}
    rows = session.execute(_INTERFACES, ids).all()
    tags = grouped(session.execute(_INTERFACE_TAGS, ids))
    addresses = grouped(session.execute(_ADDRESSES, ids))
    vlan_ids = sorted({vlan_id for _node_id, _id, vlan_id, *_values in rows if vlan_id})
    subnets = grouped(session.execute(_SUBNETS, {"ids": vlan_ids})) if vlan_ids else {}
    return grouped(
        (
            node_id,
            dict(
                zip(_OF_INTERFACE, values, strict=True),
                vlan=vlan,
                fabric=fabric,
                subnets=subnets.get(vlan_id, []),
                addresses=addresses.get(interface_id, []),
                tags=tags.get(interface_id, []),
            ),
        )
        for node_id, interface_id, vlan_id, vlan, fabric, *values in rows
    )


def device_documents(session: Session, node_id: int) -> list[dict[str, Any]]:
    """The PCI and USB devices of one node."""
    rows = session.scalars(select(Device).where(Device.node_id == node_id).order_by(Device.id))
    fields = ("bus", "address", "pci_class", "class_name", "vendor_id", "product_id", "vendor", "product", "driver", "gpu")
    return [{name: getattr(one, name) for name in fields} for one in rows]


def numa_documents(session: Session, node_id: int) -> list[dict[str, Any]]:
    """The NUMA nodes of one node."""
    rows = session.scalars(select(NumaNode).where(NumaNode.node_id == node_id).order_by(NumaNode.number))
    return [{"number": one.number, "cpus": one.cpus, "memory_bytes": one.memory_bytes} for one in rows]
