"""Events: they are sorted by their numbers alone, so that a cursor is the number of an event."""

from __future__ import annotations

from inventory_service.filters.listed import Listed
from inventory_service.filters.sorting import Key
from inventory_service.filters.words import Word, moment, text
from inventory_service.models import Event

_column = Event.__table__.c
_ABOUT = ("user", "group", "pool", "rack", "tag", "image")


def _about(what: str) -> Word:
    """What the detail names: events of things that have no column of their own."""
    return text(_column.detail[what].as_string())


_ID = Key(_column.id, unique=True)

EVENTS = Listed(
    words={
        "kind": text(_column.kind),
        "actor": text(_column.actor),
        "node": text(_column.node_name),
        "allocation": text(_column.allocation),
        "operation": text(_column.operation_id),
        "at": moment(_column.at),
        **{what: _about(what) for what in _ABOUT},
    },
    keys={"id": _ID},
    bare="kind",
    order="id",
    last=_ID,
    shorthands=("node", "kind"),
)
