"""Events: who, what, when and why."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import answer, fields_of, selected
from inventory_service.api.schemas.catalogue import Event as EventOut
from inventory_service.api.schemas.catalogue import EventFilter, Events
from inventory_service.documents.event import event_document
from inventory_service.filters import EVENTS
from inventory_service.models import Event
from inventory_service.node_records import find_visible_node
from inventory_service.rights import visible_events

bp = APIBlueprint("events", __name__, url_prefix="/api/v1", tag="Events")
by_token(bp, "admin", "user")


def _answer(session: Session, query: Select[Event], wanted: EventFilter) -> dict[str, Any] | Response:
    fields = fields_of(EventOut, wanted.fields)
    rows, following = selected(session, EVENTS, query.where(*visible_events(session, caller())), wanted)
    return answer(EventOut, [event_document(one) for one in rows], fields, following)


@bp.get("/events")
@bp.input(EventFilter, location="query", arg_name="wanted")
@bp.output(Events)
@needs("anyone")
def list_events(wanted: EventFilter) -> dict[str, Any] | Response:
    """Events after a cursor, the number of an event, the oldest first (`sort=-id`: the newest): those of one's allocations
    and of the pools one operates.
    """
    with services().database.read() as session:
        return _answer(session, select(Event), wanted)


@bp.get("/nodes/<name>/events")
@bp.input(EventFilter, location="query", arg_name="wanted")
@bp.output(Events)
@needs("viewer")
def list_node_events(name: str, wanted: EventFilter) -> dict[str, Any] | Response:
    """The events of one node."""
    with services().database.read() as session:
        return _answer(session, select(Event).where(Event.node_id == find_visible_node(session, caller(), name).id), wanted)
