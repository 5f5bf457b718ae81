"""A rack's worker, or a person with a playbook, takes an operation on: from then on it is theirs by epoch and lease."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.auth import Caller
from inventory_service.config import Settings
from inventory_service.db import after
from inventory_service.events import record
from inventory_service.metrics import OPERATION_QUEUE_SECONDS
from inventory_service.models import Node, Operation, Rack
from inventory_service.operations.lookup import changed, find_operation, say


def claimable(rack_id: int, node: str | None) -> Select[str]:
    """Ids of the operations that wait for a worker of the rack.

    :param node: those on this node, also when they were asked for by a playbook that is run by hand and wait for it
    """
    waiting = select(Operation.id).where(Operation.state == "queued", Operation.rack_id == rack_id)
    if node is None:
        return waiting.where(Operation.heartbeat)
    return waiting.join(Node, Node.id == Operation.node_id).where(Node.name == node)


def claim_next(
    session: Session,
    settings: Settings,
    caller: Caller,
    rack: Rack,
    *,
    ssh_public_key: str | None,
    node: str | None = None,
    heartbeat: bool = True,
) -> Operation | None:
    """Take the operation that was queued first for the rack; None when nothing waits.

    :param ssh_public_key: the key that the node's ephemeral OS will accept
    :param node: only an operation on this node
    :param heartbeat: False for a playbook that was started by hand: its lease lasts as long as its steps may
    """
    waiting = (
        claimable(rack.id, node)
        .order_by(Operation.queued_at, Operation.id)
        .limit(1)
        .with_for_update(of=Operation, skip_locked=True)
    )
    now = clock.now()
    first_step = timedelta(seconds=settings.first_step_seconds)
    silence = timedelta(seconds=settings.lease_seconds)
    if not heartbeat:
        silence = first_step + timedelta(seconds=settings.by_hand_grace_seconds)
    taken = session.scalar(
        update(Operation)
        .where(Operation.id == waiting.scalar_subquery(), Operation.state == "queued")
        .values(
            state="running",
            epoch=Operation.epoch + 1,
            worker=caller.actor,
            worker_key=ssh_public_key,
            heartbeat=heartbeat,
            lease_until=now + silence,
            step_until=now + first_step,
        )
        .returning(Operation.id)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    operation = find_operation(session, taken)
    operation.started_at = operation.started_at or now
    rack.last_seen_at = now
    say(session, operation, f"taken by {caller.actor}, attempt {operation.attempt}")
    record(
        session,
        "operation.claimed",
        caller.actor,
        node=operation.node,
        allocation=operation.allocation,
        operation_id=operation.id,
        operation=operation.kind,
        attempt=operation.attempt,
        epoch=operation.epoch,
    )
    changed(session, operation)
    waited = (now - operation.queued_at).total_seconds()
    after(session, partial(OPERATION_QUEUE_SECONDS.labels(operation.kind).observe, waited))
    return operation
