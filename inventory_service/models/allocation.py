"""One node held by one user, or the wish for one that waits in line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base, Versioned
from inventory_service.models.node import Node
from inventory_service.models.people import User

STATES = ("waiting", "allocated", "deploying", "active", "failed", "releasing", "released")
_HELD = text("state != 'released'")
_WAITING = text("state = 'waiting'")
_DUE = text("due_at IS NOT NULL")


class Allocation(Versioned, Base):
    """A node in a user's hands. The partial unique indexes make a double allocation impossible in the database.

    A ``waiting`` one has no node yet; ``request`` is what was asked for, to be tried again. Several that were asked for
    together share ``set_name``. ``pool_id``, ``cpus`` and ``memory_bytes`` are the node's when it was taken: quotas sum
    them up. ``needs_*`` are the least that its node must have, so that most of the line is passed over without a look at it.
    A lease begins at ``held_since`` and ends at ``expires_at``; ``lease_seconds`` is what was granted first.
    ``due_at`` is the next moment at which something is to be done about it by itself.
    """

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
        Index("uq_allocation_held_node_id", "node_id", unique=True, sqlite_where=_HELD, postgresql_where=_HELD),
        Index("uq_allocation_held_name", "name", unique=True, sqlite_where=_HELD, postgresql_where=_HELD),
        Index("ix_allocation_held_user_id", "user_id", "pool_id", sqlite_where=_HELD, postgresql_where=_HELD),
        Index("ix_allocation_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_allocation_due_at", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"))
    node_name: Mapped[str | None]
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id", ondelete="SET NULL"))
    cpus: Mapped[int] = mapped_column(default=0)
    memory_bytes: Mapped[int] = mapped_column(default=0)
    set_name: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[str]
    reason: Mapped[str | None]
    constraints: Mapped[dict[str, Any]]
    request: Mapped[dict[str, Any]] = mapped_column(default=dict)
    priority: Mapped[int] = mapped_column(default=0)
    queued_at: Mapped[datetime | None]
    wait_until: Mapped[datetime | None]
    lease_seconds: Mapped[int | None]
    expires_at: Mapped[datetime | None]
    noticed_at: Mapped[datetime | None]
    held_since: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    needs_cpus: Mapped[int] = mapped_column(default=0)
    needs_memory_bytes: Mapped[int] = mapped_column(default=0)
    needs_storage_bytes: Mapped[int] = mapped_column(default=0)
    needs_gpus: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="")
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    image: Mapped[str | None]
    root_disk: Mapped[str | None]
    hostname: Mapped[str]
    credentials: Mapped[str | None]
    address: Mapped[str | None]
    ssh_user: Mapped[str | None]
    host_keys: Mapped[list[str]]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
    node: Mapped[Node | None] = relationship(lazy="raise")


class AllocationPool(Base):
    """A pool whose nodes would do for an allocation when it began to stand in line: its operators see who waits."""

    __tablename__ = "allocation_pool"

    allocation_id: Mapped[int] = mapped_column(ForeignKey("allocation.id", ondelete="CASCADE"), primary_key=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id", ondelete="CASCADE"), primary_key=True, index=True)
