"""The audit log: all events that one may see, as a stream that is never held as a whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app
from sqlalchemy import select

from inventory_service.api.answers import Json
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.schemas.catalogue import AuditFilter
from inventory_service.auth import Caller
from inventory_service.documents.event import event_document
from inventory_service.filters import EVENTS
from inventory_service.models import Event
from inventory_service.rights import let_ask, visible_events
from inventory_service.services import Services

bp = APIBlueprint("audit", __name__, url_prefix="/api/v1", tag="Events")
by_token(bp, "admin", "user")

AT_ONCE = 500
"""Rows of one look into the database: no transaction is open while a slow reader reads."""
COLUMNS = ("id", "at", "kind", "actor", "node", "allocation", "operation", "detail")
Document = dict[str, Any]


def _parts(services: Services, who: Caller, wanted: AuditFilter) -> Iterator[list[Document]]:
    after = wanted.after
    while True:
        with services.database.read() as session:
            let_ask(session, who)
            terms = EVENTS.where(session, EVENTS.terms(wanted.filter, {}))
            query = select(Event).where(Event.id > after, *visible_events(session, who), *terms).order_by(Event.id).limit(AT_ONCE)
            documents = [event_document(one) for one in session.scalars(query)]
        yield documents
        if len(documents) < AT_ONCE:
            return
        after = documents[-1]["id"]


def _jsonl(documents: list[Document], dumps: Callable[[Any], str]) -> str:
    return "".join(dumps(one) + "\n" for one in documents)


def _csv(documents: list[Document], dumps: Callable[[Any], str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    for one in documents:
        rows.writerow([_cell(dumps(value) if name == "detail" else value) for name, value in ((name, one[name]) for name in COLUMNS)])
    return text.getvalue()


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    cell = "" if value is None else str(Json.default(value) if isinstance(value, datetime) else value)
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


_FORMATS = {"jsonl": ("application/jsonl", "", _jsonl), "csv": ("text/csv", ",".join(COLUMNS) + "\r\n", _csv)}
_TEXT = {"schema": {"type": "string"}}
_ANSWERS: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "One event a line.", "content": {kind: _TEXT for kind, *_rest in _FORMATS.values()}}
}


@bp.get("/audit-log")
@bp.input(AuditFilter, location="query", arg_name="wanted")
@bp.doc(responses=_ANSWERS)
@needs("anyone")
def export_events(wanted: AuditFilter) -> Response:
    """All events that the caller may see and the filter means, the oldest first, as JSON lines or CSV. `after` goes on."""
    kind, head, write = _FORMATS[wanted.format]
    parts = _parts(services(), caller(), wanted)
    first = next(parts)  # what is wrong with the filter is an answer, not the end of a stream
    dumps = current_app.json.dumps

    def lines() -> Iterator[str]:
        yield head + write(first, dumps)
        for documents in parts:
            yield write(documents, dumps)

    return Response(lines(), mimetype=kind, headers={"Content-Disposition": f"attachment; filename=events.{wanted.format}"})
