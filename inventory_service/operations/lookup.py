"""Find operations, and refuse reports of whoever does not hold them any more."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Load, Session, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from inventory_service import clock
from inventory_service.db import touch
from inventory_service.models import Allocation, Operation, OperationLine
from inventory_service.models.operation import ENDED
from inventory_service.node_records import whole_node
from inventory_service.problems import NotFound, OperationEnded, StaleEpoch


def whole_operation() -> tuple[ExecutableOption, ...]:
    """Loader options for an operation with its node, allocation and steps."""
    return (
        *whole_node(Load(Operation).joinedload(Operation.node)),
        joinedload(Operation.allocation).joinedload(Allocation.user),
        joinedload(Operation.rack),
        selectinload(Operation.steps),
    )


def find_operation(session: Session, operation_id: str, *, change: bool = False) -> Operation:
    """The operation, whole.

    :param change: hold it until the transaction ends, so that nobody else decides about it at the same moment
    :raises NotFound: there is none
    """
    query = select(Operation).where(Operation.id == operation_id).options(*whole_operation())
    if change:
        query = query.with_for_update(of=Operation).execution_options(populate_existing=True)
    operation = session.scalar(query)
    if operation is None:
        raise NotFound("operation", operation_id)
    return operation


def held_operation(session: Session, operation_id: str, epoch: int, *, change: bool = True) -> Operation:
    """The operation, when the one who reports still holds it.

    :param change: as for ``find_operation``

    :raises StaleEpoch: a newer claim holds it, or the service took it back
    :raises OperationEnded: it is over
    """
    operation = find_operation(session, operation_id, change=change)
    if operation.epoch != epoch or operation.state == "queued":
        raise StaleEpoch(
            f"epoch {epoch} of operation {operation_id} is over (now {operation.epoch}): stop working on it",
            epoch=operation.epoch,
        )
    if operation.state in ENDED or operation.outcome:
        raise OperationEnded(
            f"operation {operation_id} has ended: {operation.outcome or operation.state}"
            + (f", {operation.reason}" if operation.reason else ""),
            state=operation.state,
        )
    return operation


def changed(session: Session, operation: Operation) -> None:
    """Count the change and wake those who wait for it."""
    operation.revision += 1
    touch(session, f"operation:{operation.id}", "operations")


def say(session: Session, operation: Operation, *lines: str) -> None:
    """Add lines to the operation's log."""
    now = clock.now()
    session.add_all(
        OperationLine(operation_id=operation.id, at=now, step=operation.step, message=line[:4000]) for line in lines
    )
