"""What is to be done about an operation now: the rules that keep any of them from staying for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.config import Settings
from inventory_service.db import touch
from inventory_service.events import record
from inventory_service.models import Operation, OperationStep
from inventory_service.models.operation import ENDED
from inventory_service.operations.boots import close_boots
from inventory_service.operations.lookup import changed, find_operation, say
from inventory_service.operations.progress import begin_again


@dataclass(frozen=True)
class Verdict:
    """What has to happen next.

    :param kind: ``wait`` (look again after so many seconds), ``lost`` (its worker is silent),
        ``ended`` (nothing is left to do), else the outcome to conclude with: ``succeeded``, ``failed``, ``cancelled``
    :param epoch: the claim that the verdict is about
    """

    kind: str
    reason: str | None = None
    seconds: float = 0.0
    epoch: int = 0


def judge(session: Session, settings: Settings, operation_id: str) -> Verdict:
    """Look at an operation's row; changes nothing."""
    row = session.execute(
        select(
            Operation.state,
            Operation.epoch,
            Operation.step,
            Operation.outcome,
            Operation.outcome_reason,
            Operation.queued_at,
            Operation.lease_until,
            Operation.step_until,
            Operation.cancel_at,
            Operation.worker,
        ).where(Operation.id == operation_id)
    ).one_or_none()
    if row is None or row.state in ENDED:
        return Verdict("ended")
    now = clock.now()
    if row.outcome:
        return Verdict(row.outcome, row.outcome_reason, epoch=row.epoch)
    if row.state == "queued":
        until = row.queued_at + timedelta(seconds=settings.queue_seconds)
        if until <= now:
            reason = f"no worker of its rack took it within {settings.queue_seconds} s: is the rack's worker running?"
            return Verdict("failed", reason, epoch=row.epoch)
        return _wait(now, until, row.epoch)
    cancelled = row.cancel_at and row.cancel_at + timedelta(seconds=settings.cancel_grace_seconds)
    if cancelled and cancelled <= now:
        reason = f"cancelled; {row.worker} did not end it within {settings.cancel_grace_seconds} s"
        return Verdict("cancelled", reason, epoch=row.epoch)
    if row.step_until and row.step_until <= now:
        return Verdict("failed", _over_limit(session, settings, operation_id, row.step), epoch=row.epoch)
    if row.lease_until and row.lease_until <= now:
        return Verdict("lost", f"{row.worker} fell silent", epoch=row.epoch)
    return _wait(now, min(one for one in (cancelled, row.step_until, row.lease_until) if one), row.epoch)


def _wait(now: datetime, until: datetime, epoch: int) -> Verdict:
    return Verdict("wait", seconds=max(0.05, (until - now).total_seconds()), epoch=epoch)


def _over_limit(session: Session, settings: Settings, operation_id: str, step: str | None) -> str:
    if step is None:
        return f"no step began within {settings.first_step_seconds} s of the claim"
    limit = session.scalar(
        select(OperationStep.limit_seconds).where(
            OperationStep.operation_id == operation_id, OperationStep.name == step
        )
    )
    return f"step {step} exceeded its limit of {limit} s"


def take_back(session: Session, settings: Settings, operation_id: str, epoch: int) -> str | None:
    """Take an operation from a silent worker and queue it again.

    :returns: why it must fail instead; None when it was queued, or when the verdict was overtaken
    """
    operation = find_operation(session, operation_id, change=True)
    if operation.state != "running" or operation.epoch != epoch or operation.outcome:
        return None
    if operation.lease_until and operation.lease_until > clock.now():
        return None
    silent = f"{operation.worker} fell silent in step {operation.step or 'none yet'}"
    if not operation.heartbeat:
        return f"{silent}; a playbook started by hand is not started again: ask for the operation again"
    if operation.attempt >= settings.attempts:
        return f"{silent}, in attempt {operation.attempt} of {settings.attempts}"
    if operation.cancel_at is not None:
        return f"cancelled; {silent}"
    say(session, operation, f"{silent}; queued again")
    operation.state = "queued"
    operation.epoch += 1
    operation.attempt += 1
    operation.queued_at = clock.now()
    operation.lease_until = operation.step_until = None
    operation.worker_key = None
    begin_again(operation)
    close_boots(session, operation.node_id)
    record(
        session,
        "operation.worker-lost",
        "engine",
        node=operation.node,
        allocation=operation.allocation,
        operation_id=operation.id,
        operation=operation.kind,
        reason=silent,
        attempt=operation.attempt,
    )
    changed(session, operation)
    touch(session, f"rack:{operation.rack_id}")
    return None


def grant_grace(session: Session, settings: Settings) -> None:
    """After the service was down: those who hold operations could not report, so their time begins again, briefly."""
    until = clock.now() + timedelta(seconds=settings.lease_seconds)
    for column in (Operation.lease_until, Operation.step_until):
        session.execute(
            update(Operation).where(Operation.state == "running", column < until).values({column.key: until})
        )


def open_operations(session: Session) -> list[str]:
    """The ids of all operations that have not ended."""
    return list(session.scalars(select(Operation.id).where(Operation.state.in_(("queued", "running")))))
