"""The networks that nodes are on: fabrics, VLANs, spaces, subnets, ranges, and who holds which address."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base, Versioned


class Space(Versioned, Base):
    """VLANs that can reach one another."""

    __tablename__ = "space"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")


class Fabric(Versioned, Base):
    """Switches that carry the same VLANs."""

    __tablename__ = "fabric"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")


class Vlan(Versioned, Base):
    """One VLAN of a fabric; ``vid`` 0 is the untagged one (IEEE 802.1Q)."""

    __tablename__ = "vlan"
    __table_args__ = (
        UniqueConstraint("fabric_id", "vid"),
        CheckConstraint("vid BETWEEN 0 AND 4094", name="vid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    fabric_id: Mapped[int] = mapped_column(ForeignKey("fabric.id"), index=True)
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"), index=True)
    vid: Mapped[int]
    name: Mapped[str] = mapped_column(unique=True)
    mtu: Mapped[int] = mapped_column(default=1500)
    description: Mapped[str] = mapped_column(default="")

    fabric: Mapped[Fabric] = relationship(lazy="raise")
    space: Mapped[Space | None] = relationship(lazy="raise")


class Subnet(Versioned, Base):
    """An IPv4 or IPv6 network on a VLAN; with ``assign`` nodes get a fixed address of it when they are allocated."""

    __tablename__ = "subnet"
    __table_args__ = (UniqueConstraint("vlan_id", "cidr"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    vlan_id: Mapped[int] = mapped_column(ForeignKey("vlan.id"), index=True)
    name: Mapped[str] = mapped_column(unique=True)
    cidr: Mapped[str]
    gateway: Mapped[str | None]
    dns_servers: Mapped[list[str]] = mapped_column(default=list)
    assign: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(default="")

    vlan: Mapped[Vlan] = relationship(lazy="raise")
    ranges: Mapped[list[AddressRange]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="AddressRange.id"
    )


class AddressRange(Base):
    """Addresses of a subnet, first to last, that nodes are not assigned: the boot range of DHCP, or reserved by people."""

    __tablename__ = "address_range"
    __table_args__ = (CheckConstraint("kind IN ('boot', 'reserved')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subnet_id: Mapped[int] = mapped_column(ForeignKey("subnet.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    first: Mapped[str]
    last: Mapped[str]
    comment: Mapped[str] = mapped_column(default="")


class Address(Base):
    """One address that is taken: reserved by hand, or assigned to an interface of an allocated node.

    A free address has no row, so the unique constraint makes a second holder impossible. One that is reserved for an
    interface has ``allocation_id`` while the node is allocated. ``position`` counts from the subnet's first address and
    goes up to ``ip.FAR``: what lies beyond is assigned only when somebody asks for it.
    """

    __tablename__ = "address"
    __table_args__ = (
        UniqueConstraint("subnet_id", "ip"),
        CheckConstraint("kind IN ('reserved', 'assigned')", name="kind"),
        Index("ix_address_subnet_id_position", "subnet_id", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subnet_id: Mapped[int] = mapped_column(ForeignKey("subnet.id"))
    ip: Mapped[str]
    position: Mapped[int]
    kind: Mapped[str]
    interface_id: Mapped[int | None] = mapped_column(ForeignKey("interface.id", ondelete="CASCADE"), index=True)
    allocation_id: Mapped[int | None] = mapped_column(ForeignKey("allocation.id", ondelete="CASCADE"), index=True)
    comment: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]

    subnet: Mapped[Subnet] = relationship(lazy="raise")
