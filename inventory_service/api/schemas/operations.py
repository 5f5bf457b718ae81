"""Operations, as users see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Document, Request, Selection, Wait


class OperationIn(Request):
    """Ask for an operation on a node."""

    kind: str
    parameters: Document = Field(default_factory=dict)
    by_hand: bool = Field(default=False, description="No worker takes it: it waits for a claim that names the node.")


class OperationFilter(Selection):
    """Which operations to list, the newest first."""

    node: str | None = None
    state: str | None = None
    kind: str | None = None


class OperationWait(Wait):
    """Wait until the operation has changed since revision ``after``, or has ended."""

    after: int | None = None


class LinesAfter(Request):
    """Which lines: those after this sequence number."""

    after: int = Field(default=0, ge=0, lt=1 << 63)
    limit: int = Field(default=1000, ge=1, le=10000)


class StepOut(Answer):
    name: str
    title: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    limit_seconds: int
    message: str | None


class Operation(Answer):
    """One long piece of work on one node."""

    id: str
    kind: str
    node: str
    allocation: str | None
    rack: str
    state: str
    reason: str | None
    parameters: Document
    attempt: int
    epoch: int
    step: str | None
    steps: list[StepOut]
    requested_by: str
    worker: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    revision: int


class OperationsOfSet(Answer):
    """What was asked for with a whole set of allocations."""

    items: list[Operation]


class Operations(Answer):
    items: list[Operation]
    next: str | None


class Line(Answer):
    seq: int
    at: datetime
    step: str | None
    message: str


class Lines(Answer):
    items: list[Line]
    next: str | None


class ScriptResultOut(Answer):
    name: str
    phase: str
    exit_code: int
    output: str
    evidence: Document
    seconds: float | None
    recorded_at: datetime


class ScriptResults(Answer):
    items: list[ScriptResultOut]
    next: str | None
