"""One long piece of work on one node: durable, with steps, times, a log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.allocation import Allocation
from inventory_service.models.base import Base
from inventory_service.models.node import Node
from inventory_service.models.places import Rack

STATES = ("queued", "running", "succeeded", "failed", "cancelled")
ENDED = ("succeeded", "failed", "cancelled")
_OPEN = text("state IN ('queued', 'running')")


class Operation(Base):
    """A row that says what is to be done, who does it and until when it may be silent.

    ``epoch`` grows with every claim and every loss of a worker: a report that carries another one is refused.
    ``heartbeat`` is false for one that a playbook run by hand carries out, or is to claim.
    """

    __tablename__ = "operation"
    __table_args__ = (
        CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
        Index("uq_operation_open_node_id", "node_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_operation_open", "rack_id", "created_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    allocation_id: Mapped[int | None] = mapped_column(ForeignKey("allocation.id", ondelete="SET NULL"), index=True)
    rack_id: Mapped[int] = mapped_column(ForeignKey("rack.id"))
    state: Mapped[str] = mapped_column(default="queued")
    reason: Mapped[str | None]
    parameters: Mapped[dict[str, Any]]
    requested_by: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=1)
    epoch: Mapped[int] = mapped_column(default=0)
    step: Mapped[str | None]
    worker: Mapped[str | None]
    worker_key: Mapped[str | None]
    heartbeat: Mapped[bool] = mapped_column(default=True)
    lease_until: Mapped[datetime | None]
    step_until: Mapped[datetime | None]
    cancel_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    outcome_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)

    node: Mapped[Node] = relationship(lazy="raise")
    allocation: Mapped[Allocation | None] = relationship(lazy="raise")
    rack: Mapped[Rack] = relationship(lazy="raise")
    steps: Mapped[list[OperationStep]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="OperationStep.position"
    )


class OperationStep(Base):
    """One step of one operation; ``state`` is pending, running, done, failed or skipped."""

    __tablename__ = "operation_step"
    __table_args__ = (UniqueConstraint("operation_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    title: Mapped[str]
    limit_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(default="pending")
    message: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class OperationLine(Base):
    """One line of an operation's log; ``id`` is the sequence number that readers continue from."""

    __tablename__ = "operation_line"
    __table_args__ = (Index("ix_operation_line_operation_id_id", "operation_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    step: Mapped[str | None]
    message: Mapped[str]
