"""Events: they are sorted by their numbers alone, so that a cursor is the number of an event."""

from __future__ import annotations

from inventory_service.filters.listed import Listed
from inventory_service.filters.sorting import Key
from inventory_service.filters.words import moment, text
from inventory_service.models import Event

_column = Event.__table__.c
_ID = Key(_column.id, unique=True)

EVENTS = Listed(
    words={
        "kind": text(_column.kind),
        "actor": text(_column.actor),
        "node": text(_column.node_name),
        "allocation": text(_column.allocation),
        "operation": text(_column.operation_id),
        "at": moment(_column.at),
    },
    keys={"id": _ID},
    bare="kind",
    order="id",
    last=_ID,
    shorthands=("node", "kind"),
)
