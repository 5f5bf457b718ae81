"""What the one who holds an operation reports while working: I am alive, this step, these lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.config import Settings
from inventory_service.models import Operation, OperationStep
from inventory_service.operations.lookup import changed, say
from inventory_service.problems import Invalid


def renew_lease(settings: Settings, operation: Operation) -> bool:
    """Prolong the lease; says whether the operation is to be cancelled."""
    now = clock.now()
    silence = timedelta(seconds=settings.lease_seconds)
    if not operation.heartbeat and operation.step_until is not None:
        silence = max(silence, operation.step_until - now + timedelta(seconds=settings.by_hand_grace_seconds))
    operation.lease_until = now + silence
    return operation.cancel_at is not None


def _end(step: OperationStep, state: str) -> None:
    step.state = state
    step.ended_at = clock.now()


def start_step(session: Session, settings: Settings, operation: Operation, name: str, message: str | None) -> int:
    """Begin a step; the one before ends as done, and those passed over are skipped. Answers its limit in seconds.

    Beginning the step that runs already only adds the message: a report may be sent twice.

    :raises Invalid: this kind of operation has no such step, or it is over
    """
    step = next((one for one in operation.steps if one.name == name), None)
    if step is None or step.state not in ("pending", "running"):
        raise Invalid(
            "step",
            name,
            f"{operation.kind} has no step {name!r} that is still to come",
            [one.name for one in operation.steps if one.state in ("pending", "running")],
        )
    if step.state == "pending":
        for earlier in operation.steps[: step.position]:
            if earlier.state == "running":
                _end(earlier, "done")
            elif earlier.state == "pending":
                earlier.state = "skipped"
        step.state = "running"
        step.started_at = clock.now()
        operation.step = name
        operation.step_until = step.started_at + timedelta(seconds=step.limit_seconds)
        say(session, operation, f"{step.title} begins (at most {step.limit_seconds} s)")
    if message:
        step.message = message
        say(session, operation, message)
    renew_lease(settings, operation)
    changed(session, operation)
    return step.limit_seconds


def end_steps(operation: Operation, succeeded: bool, message: str | None) -> None:
    """Close what is open when the operation ends."""
    for step in operation.steps:
        if step.state == "running":
            _end(step, "done" if succeeded else "failed")
            step.message = message or step.message
        elif step.state == "pending":
            step.state = "skipped"


def begin_again(operation: Operation) -> None:
    """Put every step back: another attempt runs them all."""
    for step in operation.steps:
        step.state = "pending"
        step.message = step.started_at = step.ended_at = None
    operation.step = None


def add_lines(session: Session, settings: Settings, operation: Operation, lines: Sequence[str]) -> None:
    """Add lines to the log; it counts as a sign of life."""
    say(session, operation, *lines)
    renew_lease(settings, operation)
    changed(session, operation)
