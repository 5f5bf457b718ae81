"""What the one who holds an operation reports while it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, services
from inventory_service.api.schemas.operations import Operation as OperationOut
from inventory_service.api.schemas.worker import HeartbeatOut, LogIn, Report, ResultIn, StepIn, StepStarted
from inventory_service.api.waiting import wait_for
from inventory_service.documents.operation import operation_document
from inventory_service.models import Operation, Rack
from inventory_service.models.operation import ENDED
from inventory_service.operations.lookup import find_operation, held_operation
from inventory_service.operations.outcome import report_result
from inventory_service.operations.progress import add_lines, renew_lease, start_step
from inventory_service.problems import NotFound

CONCLUDING_SECONDS = 5.0

bp = APIBlueprint("worker_progress", __name__, url_prefix="/api/v1/operations/<operation_id>", tag="Worker")
by_token(bp, "worker", "admin")


def need_own_rack(session: Session, operation_id: str) -> None:
    """Only the rack's worker, or an administrator, may report.

    :raises NotFound: there is no such operation
    :raises Forbidden: it is another rack's
    """
    rack = session.scalar(
        select(Rack.name).join(Operation, Operation.rack_id == Rack.id).where(Operation.id == operation_id)
    )
    if rack is None:
        raise NotFound("operation", operation_id)
    caller().need_rack(rack)


@contextmanager
def reporting(operation_id: str, epoch: int) -> Iterator[tuple[Session, Operation]]:
    """A transaction on an operation that the reporter still holds."""
    with services().database.write() as session:
        need_own_rack(session, operation_id)
        yield session, held_operation(session, operation_id, epoch)


@bp.post("/heartbeat")
@bp.input(Report, arg_name="report")
@bp.output(HeartbeatOut)
def heartbeat(operation_id: str, report: Report) -> dict[str, bool]:
    """Keep the operation for another lease; the answer says whether to stop."""
    with reporting(operation_id, report.epoch) as (_session, operation):
        return {"cancel": renew_lease(services().settings, operation)}


@bp.post("/steps")
@bp.input(StepIn, arg_name="report")
@bp.output(StepStarted)
def begin_step(operation_id: str, report: StepIn) -> dict[str, int]:
    """Begin a step; the one before is done. The answer is how many seconds it may take."""
    with reporting(operation_id, report.epoch) as (session, operation):
        return {"limit_seconds": start_step(session, services().settings, operation, report.step, report.message)}


@bp.post("/log")
@bp.input(LogIn, arg_name="report")
@bp.output({}, status_code=204)
def log_lines(operation_id: str, report: LogIn) -> str:
    """Add lines to the operation's log."""
    with reporting(operation_id, report.epoch) as (session, operation):
        add_lines(session, services().settings, operation, report.lines)
    return ""


@bp.post("/result")
@bp.input(ResultIn, arg_name="report")
@bp.output(OperationOut)
def result(operation_id: str, report: ResultIn) -> dict[str, Any]:
    """Say how the work ended. The answer is what became of it: success without proof is refused there."""
    database = services().database
    with database.write() as session:
        need_own_rack(session, operation_id)
        report_result(session, operation_id, report.epoch, report.outcome, report.reason)

    def ended() -> bool | None:
        with database.read() as session:
            state = session.scalar(select(Operation.state).where(Operation.id == operation_id))
        return True if state in ENDED else None

    wait_for(f"operation:{operation_id}", ended, CONCLUDING_SECONDS)
    with database.read() as session:
        return operation_document(find_operation(session, operation_id))
