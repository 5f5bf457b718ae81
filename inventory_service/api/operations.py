"""Operations as their users see them: list, watch, read the log, cancel."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import answer, fields_of, number, part, selected
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.operations import (
    Lines,
    LinesAfter,
    OperationFilter,
    Operations,
    OperationWait,
    ScriptResults,
)
from inventory_service.api.schemas.operations import Operation as OperationOut
from inventory_service.api.versions import show_version, versioned
from inventory_service.api.waiting import wait_for
from inventory_service.documents.operation import operation_document
from inventory_service.filters import OPERATIONS
from inventory_service.models import Operation, OperationLine, ScriptResult
from inventory_service.models.operation import ENDED
from inventory_service.operations.cancel import cancel
from inventory_service.operations.lookup import find_operation, whole_operation
from inventory_service.problems import NotFound
from inventory_service.rights import visible_operations

bp = APIBlueprint("operations", __name__, url_prefix="/api/v1", tag="Operations")
by_token(bp)


def _visible_operation(session: Session, operation_id: str, *, change: bool = False) -> Operation:
    seen = select(Operation.id).where(Operation.id == operation_id, *visible_operations(session, caller()))
    if session.scalar(seen) is None:
        raise NotFound("operation", operation_id)
    return find_operation(session, operation_id, change=change)


@bp.get("/operations")
@bp.input(OperationFilter, location="query", arg_name="wanted")
@bp.output(Operations)
@needs("anyone")
def list_operations(wanted: OperationFilter) -> dict[str, Any] | Response:
    """List operations, the newest first unless sorted otherwise. `node`, `state` and `kind` are short for the same words
    in `filter`.
    """
    fields = fields_of(OperationOut, wanted.fields)
    with services().database.read() as session:
        query = select(Operation).options(*whole_operation()).where(*visible_operations(session, caller()))
        rows, following = selected(session, OPERATIONS, query, wanted)
        return answer(OperationOut, [operation_document(one) for one in rows], fields, following)


@bp.get("/operations/<operation_id>")
@bp.input(OperationWait, location="query", arg_name="wanted")
@bp.output(OperationOut)
@needs("holder")
@versioned
def show_operation(operation_id: str, wanted: OperationWait) -> dict[str, Any]:
    """Show an operation; with `wait`, answer when it changes after revision `after`, when it ends, or after so long."""
    database = services().database
    with database.read() as session:
        revision = _visible_operation(session, operation_id).revision
    after = wanted.after if wanted.after is not None else revision

    def changed() -> bool | None:
        with database.read() as session:
            row = session.execute(
                select(Operation.revision, Operation.state).where(Operation.id == operation_id)
            ).one_or_none()
        return True if row is None or row.revision > after or row.state in ENDED else None

    if wanted.wait:
        wait_for(f"operation:{operation_id}", changed, wanted.wait)
    with database.read() as session:
        operation = find_operation(session, operation_id)
        show_version(operation)
        return operation_document(operation)


@bp.get("/operations/<operation_id>/log")
@bp.input(LinesAfter, location="query", arg_name="wanted")
@bp.output(Lines)
@needs("holder")
def show_log(operation_id: str, wanted: LinesAfter) -> dict[str, Any]:
    """The operation's log after a sequence number."""
    with services().database.read() as session:
        _visible_operation(session, operation_id)
        query = (
            select(OperationLine)
            .where(OperationLine.operation_id == operation_id, OperationLine.id > wanted.after)
            .order_by(OperationLine.id)
        )
        lines, following = part(session, query, wanted.limit, lambda one: one.id)
    items = [{"seq": one.id, "at": one.at, "step": one.step, "message": one.message} for one in lines]
    return {"items": items, "next": following}


@bp.get("/operations/<operation_id>/script-results")
@bp.input(Page, location="query", arg_name="page")
@bp.output(ScriptResults)
@needs("holder")
def show_script_results(operation_id: str, page: Page) -> dict[str, Any]:
    """What the site's own scripts and tasks said."""
    with services().database.read() as session:
        _visible_operation(session, operation_id)
        query = select(ScriptResult).where(ScriptResult.operation_id == operation_id).order_by(ScriptResult.id)
        after = number(page.after)
        query = query.where(ScriptResult.id > after) if after else query
        rows, following = part(session, query, page.limit, lambda one: one.id)
    fields = ("name", "phase", "exit_code", "output", "evidence", "seconds", "recorded_at")
    return {"items": [{name: getattr(one, name) for name in fields} for one in rows], "next": following}


@bp.post("/operations/<operation_id>/cancel")
@bp.output(OperationOut, status_code=202)
@needs("holder")
def cancel_operation(operation_id: str) -> dict[str, Any]:
    """Cancel: at once while it is queued, else the worker is told at its next heartbeat."""
    who = caller()
    with services().database.write() as session:
        operation = _visible_operation(session, operation_id, change=True)
        cancel(session, operation, who.actor)
        return operation_document(operation)
