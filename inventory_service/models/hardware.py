"""What is in a node: interfaces, disks, and the whole facts document of its last commissioning."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Interface(Base):
    """A network interface; a MAC address belongs to one node."""

    __tablename__ = "interface"

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None]
    mac: Mapped[str] = mapped_column(unique=True)
    driver: Mapped[str | None]
    speed_mbps: Mapped[int | None]
    link: Mapped[bool | None]
    lldp: Mapped[dict[str, Any] | None]


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


class NodeFacts(Base):
    """The facts document as the node reported it, kept apart because the node's row is rewritten often."""

    __tablename__ = "node_facts"

    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), primary_key=True)
    operation_id: Mapped[str | None]
    document: Mapped[dict[str, Any]]
    at: Mapped[datetime]
