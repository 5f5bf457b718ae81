"""Records that outlive what they are about: events, failures, erasures, results of a site's scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Event(Base):
    """Something changed: who, what, when and why. Written in the transaction of the change, never altered."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_node_id_id", "node_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(index=True)
    actor: Mapped[str]
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"))
    node_name: Mapped[str | None]
    allocation: Mapped[str | None]
    allocation_user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user_account.id", ondelete="SET NULL"), index=True
    )
    operation_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]]


class Failure(Base):
    """An operation failed on a node; ``forgiven`` when a person or a passed test has cleared it."""

    __tablename__ = "failure"
    __table_args__ = (Index("ix_failure_node_id_at", "node_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"))
    kind: Mapped[str]
    operation_id: Mapped[str | None]
    allocation_id: Mapped[int | None] = mapped_column(ForeignKey("allocation.id", ondelete="SET NULL"))
    reason: Mapped[str]
    at: Mapped[datetime]
    forgiven: Mapped[bool] = mapped_column(default=False)


class Erasure(Base):
    """A disk was erased, how, and what was verified by reading back."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"), index=True)
    node_name: Mapped[str]
    operation_id: Mapped[str] = mapped_column(index=True)
    serial: Mapped[str | None]
    path: Mapped[str | None]
    method: Mapped[str | None]
    verified: Mapped[bool]
    detail: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    recorded_at: Mapped[datetime]


class ScriptResult(Base):
    """What a site's own script or task said."""

    __tablename__ = "script_result"

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    phase: Mapped[str]
    exit_code: Mapped[int]
    output: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    seconds: Mapped[float | None]
    recorded_at: Mapped[datetime]
