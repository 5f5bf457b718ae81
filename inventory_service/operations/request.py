"""Ask for an operation: the node moves to its working state and the operation is queued, in one transaction."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.config import Settings
from inventory_service.db import hold, touch
from inventory_service.events import record
from inventory_service.models import Allocation, Node, Operation, OperationStep
from inventory_service.operations.lookup import find_operation
from inventory_service.problems import Conflict, Invalid, OperationRunning
from inventory_service.states import advance
from inventory_service.steps import STEPS, steps_of


def open_operation(session: Session, node_id: int) -> Operation | None:
    """The operation that is queued or running on a node."""
    return session.scalar(
        select(Operation).where(Operation.node_id == node_id, Operation.state.in_(("queued", "running")))
    )


def busy(node: Node, running: Operation) -> OperationRunning:
    """The error that names what is under way."""
    return OperationRunning(
        f"{running.kind} is {running.state} on node {node.name}: wait for operation {running.id} to end, or cancel it",
        operation=running.id,
        kind=running.kind,
    )


def request_operation(
    session: Session,
    settings: Settings,
    node: Node,
    kind: str,
    actor: str,
    *,
    allocation: Allocation | None = None,
    parameters: dict[str, Any] | None = None,
) -> Operation:
    """Queue an operation for the worker of the node's rack.

    :param kind: commission, deploy or release
    :param parameters: shown by the API to whoever may see the operation: no secrets
    :raises Invalid: no such kind
    :raises OperationRunning: one is under way on this node
    :raises Conflict: the node's state does not allow it, or it is locked
    """
    if kind not in STEPS:
        raise Invalid("kind", kind, f"{kind!r} is no kind of operation", STEPS)
    hold(session, node)
    running = open_operation(session, node.id)
    if running is not None:
        raise busy(node, running)
    if node.locked:
        raise Conflict(f"node {node.name} is locked: unlock it first", field="locked", value=True)
    now = clock.now()
    operation = Operation(
        id=str(uuid.uuid4()),
        kind=kind,
        node_id=node.id,
        allocation_id=allocation.id if allocation else None,
        rack_id=node.rack_id,
        state="queued",
        parameters=parameters or {},
        requested_by=actor,
        attempt=1,
        epoch=0,
        heartbeat=True,
        created_at=now,
        queued_at=now,
        revision=1,
        steps=[
            OperationStep(
                position=position, name=step.name, title=step.title, limit_seconds=step.limit_seconds, state="pending"
            )
            for position, step in enumerate(steps_of(kind, settings.step_limits))
        ],
    )
    advance(session, node, kind, actor, allocation=allocation, operation_id=operation.id)
    session.add(operation)
    session.flush()
    record(
        session,
        "operation.requested",
        actor,
        node=node,
        allocation=allocation,
        operation_id=operation.id,
        operation=kind,
    )
    touch(session, f"rack:{node.rack_id}", f"operation:{operation.id}", "operations")
    return find_operation(session, operation.id)
