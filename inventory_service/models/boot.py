"""What lets one boot of one node speak for its operation, and what the installed system phones home with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Boot(Base):
    """One armed boot into the ephemeral OS. Nonces are kept as their SHA-256.

    It dies with its operation, unless the node is left ``waiting`` in the ephemeral OS for the next one.
    """

    __tablename__ = "boot"
    __table_args__ = (CheckConstraint("state IN ('armed', 'checked_in', 'waiting', 'closed')", name="state"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"), index=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int]
    state: Mapped[str] = mapped_column(default="armed")
    nonce_sha256: Mapped[str]
    token: Mapped[str | None]
    token_issued_to: Mapped[str | None]
    address: Mapped[str | None]
    host_key: Mapped[str | None]
    created_at: Mapped[datetime]
    checked_in_at: Mapped[datetime | None]


class PhoneHome(Base):
    """The one-shot token that the installed system phones home with, and what it reported."""

    __tablename__ = "phone_home"

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"), index=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(unique=True)
    closed: Mapped[bool] = mapped_column(default=False)
    address: Mapped[str | None]
    host_keys: Mapped[list[str]]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
