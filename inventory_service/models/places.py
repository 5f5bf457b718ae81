"""Where nodes are and whose policy they follow: zones, pools, racks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base, Versioned

SET_ASIDE = ({"kinds": ["deploy", "release"], "failures": 3, "window_seconds": 7 * 86400},)
"""When a pool's nodes are set aside, unless it has other rules."""


class Zone(Versioned, Base):
    """A physical place: room, row, failure domain."""

    __tablename__ = "zone"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")


class Pool(Versioned, Base):
    """A named set of nodes with its own policy.

    ``default_role`` is what every user may do in it without a grant. ``set_aside`` lists rules: so many failed operations
    of these kinds within so long, those of one allocation counted once; no rule, never. All times are in seconds.
    """

    __tablename__ = "pool"
    __table_args__ = (CheckConstraint("default_role IN ('none', 'viewer', 'user')", name="default_role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    wait_in_ephemeral: Mapped[bool] = mapped_column(default=False)
    erase_methods: Mapped[list[str]]
    weak_boot_token: Mapped[bool] = mapped_column(default=False)
    auto_accept: Mapped[bool] = mapped_column(default=False)
    default_role: Mapped[str] = mapped_column(default="user")
    lease_required: Mapped[bool] = mapped_column(default=False)
    lease_default_seconds: Mapped[int | None]
    lease_max_seconds: Mapped[int | None]
    lease_total_seconds: Mapped[int | None]
    lease_notice_seconds: Mapped[int] = mapped_column(default=3600)
    lease_grace_seconds: Mapped[int] = mapped_column(default=0)
    queue_order: Mapped[str] = mapped_column(default="first_come")
    set_aside: Mapped[list[dict[str, Any]]] = mapped_column(default=lambda: [dict(one) for one in SET_ASIDE])


class Rack(Base):
    """A host beside the nodes that serves their boots and speaks to their BMCs."""

    __tablename__ = "rack"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    last_seen_at: Mapped[datetime | None]
