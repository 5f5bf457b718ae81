"""One node held by one user."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base
from inventory_service.models.node import Node
from inventory_service.models.people import User

STATES = ("allocated", "deploying", "active", "failed", "releasing", "released")
_HELD = text("state != 'released'")


class Allocation(Base):
    """A node in a user's hands. The partial unique indexes make a double allocation impossible in the database."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
        Index("uq_allocation_held_node_id", "node_id", unique=True, sqlite_where=_HELD, postgresql_where=_HELD),
        Index("uq_allocation_held_name", "name", unique=True, sqlite_where=_HELD, postgresql_where=_HELD),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"))
    node_name: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    constraints: Mapped[dict[str, Any]]
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
