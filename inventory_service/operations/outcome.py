"""How an operation ends: what it must have proved, and what follows for node and allocation."""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.addresses import free
from inventory_service.db import after, touch
from inventory_service.events import record
from inventory_service.metrics import ALLOCATION_READY_SECONDS, BMC_ERRORS, FAILED_STEPS, OPERATION_SECONDS
from inventory_service.models import Allocation, NodeFacts, Operation
from inventory_service.models.operation import ENDED
from inventory_service.offers import offer_user
from inventory_service.operations.boots import close_boots, phoned_home
from inventory_service.operations.evidence import unproved_disks
from inventory_service.operations.lookup import changed, find_operation, held_operation, say
from inventory_service.operations.progress import end_steps
from inventory_service.problems import Conflict
from inventory_service.set_aside import forgive, note_failure, set_aside_if_due
from inventory_service.states import advance
from inventory_service.steps import BMC_STEPS

log = logging.getLogger(__name__)

_PROVES_GOOD = ("commission", "test")
"""Operations that show that a node works: what failed on it before is forgiven."""


def report_result(session: Session, operation_id: str, epoch: int, outcome: str, reason: str | None) -> Operation:
    """Note how the worker's work ended; the engine concludes from it. The same report may come twice."""
    operation = find_operation(session, operation_id, change=True)
    if operation.epoch == epoch and operation.outcome == outcome:
        return operation
    operation = held_operation(session, operation_id, epoch)
    operation.outcome = outcome
    operation.outcome_reason = reason
    changed(session, operation)
    return operation


def missing_proof(session: Session, operation: Operation) -> str | None:
    """Why an operation that says it succeeded did not: what it has to have proved and did not."""
    if operation.kind == "commission":
        facts = session.get(NodeFacts, operation.node_id)
        if facts is None or facts.operation_id != operation.id:
            return "no hardware inventory was stored"
    if operation.kind == "deploy":
        call = phoned_home(session, operation.id)
        if call is None or not call.host_keys:
            return "the installed system did not phone home with its host keys"
    if operation.kind == "release":
        disks = unproved_disks(session, operation)
        if disks:
            return f"no verified erasure of disk {', '.join(disks)}"
    return None


def conclude(session: Session, operation_id: str, outcome: str, reason: str | None) -> None:
    """End an operation with everything that follows, in one transaction; concluding twice changes nothing.

    :param outcome: succeeded, failed or cancelled
    """
    operation = find_operation(session, operation_id, change=True)
    if operation.state in ENDED:
        return
    if outcome == "succeeded":
        missing = missing_proof(session, operation)
        if missing:
            outcome, reason = "failed", missing
    elif operation.cancel_at is not None:
        outcome, reason = "cancelled", reason or "cancelled"
    _follow(session, operation, outcome, reason)
    end_steps(operation, outcome == "succeeded", reason)
    operation.state = outcome
    operation.reason = None if outcome == "succeeded" else reason or "the worker gave no reason"
    operation.ended_at = clock.now()
    operation.lease_until = operation.step_until = None
    close_boots(session, operation.node_id, leave_waiting=operation.id if outcome == "succeeded" else None)
    say(session, operation, outcome + (f": {operation.reason}" if operation.reason else ""))
    record(
        session,
        f"operation.{outcome}",
        operation.worker or "engine",
        node=operation.node,
        allocation=operation.allocation,
        operation_id=operation.id,
        operation=operation.kind,
        **({"reason": operation.reason} if operation.reason else {}),
    )
    changed(session, operation)
    touch(session, f"boots:{operation.node_id}")
    after(session, partial(_count, operation.kind, outcome, operation.step, _seconds(operation)))


def _seconds(operation: Operation) -> float:
    ended = operation.ended_at or clock.now()
    return (ended - (operation.started_at or ended)).total_seconds()


def _count(kind: str, outcome: str, step: str | None, seconds: float) -> None:
    OPERATION_SECONDS.labels(kind, outcome).observe(seconds)
    if outcome == "failed":
        FAILED_STEPS.labels(kind, step or "none").inc()
        if step in BMC_STEPS:
            BMC_ERRORS.labels(kind, step).inc()


def _follow(session: Session, operation: Operation, outcome: str, reason: str | None) -> None:
    """Move the node and its allocation on."""
    succeeded = outcome == "succeeded"
    node, allocation = operation.node, operation.allocation
    actor = operation.worker or "engine"
    try:
        advance(
            session,
            node,
            "succeed" if succeeded else "fail",
            actor,
            reason=None if succeeded else f"{operation.kind}: {reason or 'no reason given'}",
            allocation=allocation,
            operation_id=operation.id,
        )
    except Conflict:
        # An operation always ends, even when its node is no longer where the operation left it.
        log.exception("operation %s ends, but its node %s is %s", operation.id, node.name, node.state)
    if allocation is not None and allocation.state != "released":
        _follow_allocation(session, operation, allocation, succeeded, reason)
    if outcome == "failed" and operation.started_at is not None:
        held_by = allocation.id if allocation else None
        note_failure(session, node, operation.kind, operation.id, held_by, reason or "no reason given")
    if succeeded and operation.kind in _PROVES_GOOD:
        forgive(session, node)
    set_aside_if_due(session, node, actor, operation.id)


def _follow_allocation(
    session: Session, operation: Operation, allocation: Allocation, succeeded: bool, reason: str | None
) -> None:
    touch(session, f"allocation:{allocation.id}")
    if allocation.expired_at is not None and operation.kind != "release":
        # Its lease ended meanwhile, and the release waited for this operation.
        allocation.due_at = clock.now()
        touch(session, "due")
    if not succeeded:
        allocation.state = "failed"
        allocation.reason = f"{operation.kind}: {reason or 'no reason given'}"
        return
    allocation.reason = None
    if operation.kind == "release":
        allocation.state = "released"
        free(session, allocation, operation.node, operation.worker or "engine")
        allocation.released_at = clock.now()
        allocation.credentials = None
        allocation.due_at = None
        offer_user(session, allocation.user_id)
    elif operation.kind == "deploy":
        call = phoned_home(session, operation.id)
        allocation.state = "active"
        allocation.address = call.address if call else None
        allocation.host_keys = list(call.host_keys) if call else []
        allocation.ssh_user = operation.parameters.get("ssh_user")
        first = allocation.activated_at is None
        allocation.activated_at = clock.now()
        if first and allocation.held_since is not None:
            took = (allocation.activated_at - allocation.held_since).total_seconds()
            after(session, partial(ALLOCATION_READY_SECONDS.observe, took))
