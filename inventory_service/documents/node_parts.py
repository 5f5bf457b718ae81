"""What stands beside the parts of nodes: tags of disks and interfaces, the networks and the addresses of interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.models import Address, Device, Disk, DiskTag, Fabric, Interface, InterfaceTag, Node, NumaNode, Subnet, Vlan


@dataclass(frozen=True)
class Parts:
    """What was looked up for some nodes, by the ids of their disks, interfaces and VLANs."""

    disk_tags: dict[int, list[str]]
    interface_tags: dict[int, list[str]]
    addresses: dict[int, list[str]]
    vlans: dict[int, tuple[str, str]]
    subnets: dict[int, list[str]]

    def network(self, interface: Interface) -> dict[str, Any]:
        """Where an interface is, by names; which addresses it holds."""
        vlan, fabric = self.vlans.get(interface.vlan_id or 0, (None, None))
        return {
            "vlan": vlan,
            "fabric": fabric,
            "subnets": self.subnets.get(interface.vlan_id or 0, []),
            "addresses": self.addresses.get(interface.id, []),
        }


def _grouped(rows: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def parts_of(session: Session, nodes: Sequence[Node]) -> Parts:
    """Look up what belongs to these nodes, each kind in one query."""
    ids = [node.id for node in nodes]
    vlan_ids = {one.vlan_id for node in nodes for one in node.interfaces if one.vlan_id}
    disk_tags = select(DiskTag.disk_id, DiskTag.tag).join(Disk, Disk.id == DiskTag.disk_id)
    interface_tags = select(InterfaceTag.interface_id, InterfaceTag.tag).join(
        Interface, Interface.id == InterfaceTag.interface_id
    )
    addresses = select(Interface.id, Address.ip).join(Address, Address.interface_id == Interface.id)
    vlans: dict[int, tuple[str, str]] = {}
    subnets: dict[int, list[str]] = {}
    if vlan_ids:
        named = select(Vlan.id, Vlan.name, Fabric.name).join(Fabric, Fabric.id == Vlan.fabric_id)
        vlans = {row[0]: (row[1], row[2]) for row in session.execute(named.where(Vlan.id.in_(vlan_ids)))}
        on = select(Subnet.vlan_id, Subnet.name).where(Subnet.vlan_id.in_(vlan_ids)).order_by(Subnet.name)
        subnets = _grouped(session.execute(on).all())
    return Parts(
        disk_tags=_grouped(session.execute(disk_tags.where(Disk.node_id.in_(ids)).order_by(DiskTag.tag)).all()),
        interface_tags=_grouped(
            session.execute(interface_tags.where(Interface.node_id.in_(ids)).order_by(InterfaceTag.tag)).all()
        ),
        addresses=_grouped(session.execute(addresses.where(Interface.node_id.in_(ids)).order_by(Address.id)).all()),
        vlans=vlans,
        subnets=subnets,
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
