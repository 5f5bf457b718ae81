"""What is in a node: interfaces, disks, devices, NUMA nodes, and the facts document of its last commissioning."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base
from inventory_service.models.networks import Vlan


class Interface(Base):
    """A network interface; a MAC address belongs to one node.

    Its VLAN is learned from the address that it boots with, unless it was set by hand.
    """

    __tablename__ = "interface"
    __table_args__ = (Index("ix_interface_node_id_vlan_id", "node_id", "vlan_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    mac: Mapped[str] = mapped_column(unique=True)
    driver: Mapped[str | None]
    speed_mbps: Mapped[int | None]
    link: Mapped[bool | None]
    lldp: Mapped[dict[str, Any] | None]
    vlan_id: Mapped[int | None] = mapped_column(ForeignKey("vlan.id", ondelete="SET NULL"), index=True)
    vlan_by_hand: Mapped[bool] = mapped_column(default=False)

    vlan: Mapped[Vlan | None] = relationship(lazy="raise")
    tags: Mapped[list[InterfaceTag]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="InterfaceTag.tag"
    )


class InterfaceTag(Base):
    """One tag of one interface."""

    __tablename__ = "interface_tag"

    interface_id: Mapped[int] = mapped_column(ForeignKey("interface.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class Disk(Base):
    """A disk that was seen at commissioning; ``kind`` is nvme, ssd or hdd."""

    __tablename__ = "disk"

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    path: Mapped[str | None]
    serial: Mapped[str | None]
    wwn: Mapped[str | None]
    model: Mapped[str | None]
    kind: Mapped[str]
    size_bytes: Mapped[int]
    rotational: Mapped[bool]
    wear_percent: Mapped[int | None]

    tags: Mapped[list[DiskTag]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="DiskTag.tag"
    )


class DiskTag(Base):
    """One tag of one disk."""

    __tablename__ = "disk_tag"

    disk_id: Mapped[int] = mapped_column(ForeignKey("disk.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class Device(Base):
    """A PCI or USB device; ids and the PCI class are in small hex digits without 0x, as lspci shows them."""

    __tablename__ = "device"
    __table_args__ = (Index("ix_device_ids", "vendor_id", "product_id", "node_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    bus: Mapped[str]
    address: Mapped[str | None]
    pci_class: Mapped[str | None]
    class_name: Mapped[str | None]
    vendor_id: Mapped[str | None]
    product_id: Mapped[str | None]
    vendor: Mapped[str | None]
    product: Mapped[str | None]
    driver: Mapped[str | None]
    gpu: Mapped[bool] = mapped_column(default=False)


class NumaNode(Base):
    """A NUMA node: how many CPUs and how much memory are near one another."""

    __tablename__ = "numa_node"
    __table_args__ = (UniqueConstraint("node_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"))
    number: Mapped[int]
    cpus: Mapped[int]
    memory_bytes: Mapped[int | None]


class NodeFacts(Base):
    """The facts document as the node reported it, kept apart because the node's row is rewritten often."""

    __tablename__ = "node_facts"

    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), primary_key=True)
    operation_id: Mapped[str | None]
    document: Mapped[dict[str, Any]]
    at: Mapped[datetime]
