"""Stop an operation: at once while it waits, else by asking whoever holds it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.events import record
from inventory_service.models import Operation
from inventory_service.models.operation import ENDED
from inventory_service.operations.lookup import changed, say
from inventory_service.operations.outcome import conclude


def cancel(session: Session, operation: Operation, actor: str) -> None:
    """Cancel; an operation that has ended stays as it is. The engine ends one whose worker does not."""
    if operation.state in ENDED or operation.cancel_at is not None:
        return
    operation.cancel_at = clock.now()
    record(
        session,
        "operation.cancel-requested",
        actor,
        node=operation.node,
        allocation=operation.allocation,
        operation_id=operation.id,
        operation=operation.kind,
    )
    say(session, operation, f"{actor} asks to cancel")
    changed(session, operation)
    if operation.state == "queued":
        conclude(session, operation.id, "cancelled", f"cancelled by {actor}")
