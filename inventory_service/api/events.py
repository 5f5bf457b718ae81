"""Events: who, what, when and why."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.schemas.catalogue import EventFilter, Events
from inventory_service.models import Event
from inventory_service.node_records import find_visible_node
from inventory_service.rights import visible_events

bp = APIBlueprint("events", __name__, url_prefix="/api/v1", tag="Events")
by_token(bp, "admin", "user")


def _answer(session: Session, query: Select[Event], wanted: EventFilter) -> dict[str, Any]:
    query = query.where(*visible_events(session, caller()))
    if wanted.kind:
        query = query.where(Event.kind == wanted.kind)
    after = number(wanted.after)
    if after is not None:
        query = query.where(Event.id > after)
    rows, following = part(session, query.order_by(Event.id), wanted.limit, lambda one: one.id)
    return {
        "items": [
            {
                "id": one.id,
                "at": one.at,
                "kind": one.kind,
                "actor": one.actor,
                "node": one.node_name,
                "allocation": one.allocation,
                "operation": one.operation_id,
                "detail": one.detail,
            }
            for one in rows
        ],
        "next": following,
    }


@bp.get("/events")
@bp.input(EventFilter, location="query", arg_name="wanted")
@bp.output(Events)
@needs("anyone")
def list_events(wanted: EventFilter) -> dict[str, Any]:
    """Events after a cursor, the oldest first: those of one's allocations and of the pools one operates."""
    query = select(Event)
    if wanted.node:
        query = query.where(Event.node_name == wanted.node)
    with services().database.read() as session:
        return _answer(session, query, wanted)


@bp.get("/nodes/<name>/events")
@bp.input(EventFilter, location="query", arg_name="wanted")
@bp.output(Events)
@needs("viewer")
def list_node_events(name: str, wanted: EventFilter) -> dict[str, Any]:
    """The events of one node."""
    with services().database.read() as session:
        return _answer(session, select(Event).where(Event.node_id == find_visible_node(session, caller(), name).id), wanted)
