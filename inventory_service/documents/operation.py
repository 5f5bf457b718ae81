"""An operation as answers show it."""

from __future__ import annotations

from typing import Any

from inventory_service import clock
from inventory_service.models import Operation, OperationStep


def step_document(step: OperationStep) -> dict[str, Any]:
    """One step; ``seconds`` of a running one is how long it has been running."""
    until = step.ended_at or (clock.now() if step.state == "running" else None)
    seconds = (until - step.started_at).total_seconds() if step.started_at and until else None
    return {
        "name": step.name,
        "title": step.title,
        "state": step.state,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "seconds": round(seconds, 3) if seconds is not None else None,
        "limit_seconds": step.limit_seconds,
        "message": step.message,
    }


def operation_document(operation: Operation) -> dict[str, Any]:
    """An operation, loaded whole (``operations.lookup.whole_operation``)."""
    return {
        "id": operation.id,
        "kind": operation.kind,
        "node": operation.node.name,
        "allocation": operation.allocation.name if operation.allocation else None,
        "rack": operation.rack.name,
        "state": operation.state,
        "reason": operation.reason,
        "parameters": operation.parameters,
        "attempt": operation.attempt,
        "epoch": operation.epoch,
        "step": operation.step,
        "steps": [step_document(step) for step in operation.steps],
        "requested_by": operation.requested_by,
        "worker": operation.worker,
        "cancel_requested": operation.cancel_at is not None,
        "created_at": operation.created_at,
        "started_at": operation.started_at,
        "ended_at": operation.ended_at,
        "revision": operation.revision,
    }
