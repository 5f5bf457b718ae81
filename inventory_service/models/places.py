"""Where nodes are and whose policy they follow: zones, pools, racks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Zone(Base):
    """A physical place: room, row, failure domain."""

    __tablename__ = "zone"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")


class Pool(Base):
    """A named set of nodes with its own policy."""

    __tablename__ = "pool"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    wait_in_ephemeral: Mapped[bool] = mapped_column(default=False)
    erase_methods: Mapped[list[str]]
    weak_boot_token: Mapped[bool] = mapped_column(default=False)
    auto_accept: Mapped[bool] = mapped_column(default=False)


class Rack(Base):
    """A host beside the nodes that serves their boots and speaks to their BMCs."""

    __tablename__ = "rack"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    last_seen_at: Mapped[datetime | None]
