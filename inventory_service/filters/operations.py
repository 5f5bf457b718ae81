"""Operations: what was done to which node, by whom, and how it ended."""

from __future__ import annotations

from sqlalchemy import select

from inventory_service.constraints.words import COUNT
from inventory_service.filters.listed import Listed
from inventory_service.filters.sorting import Key
from inventory_service.filters.words import choice, linked, moment, named, number, text
from inventory_service.models import NODE, Allocation, Operation, Rack
from inventory_service.models.operation import STATES
from inventory_service.steps import STEPS

_column, _allocation = Operation.__table__.c, Allocation.__table__.c

OPERATIONS = Listed(
    words={
        "id": text(_column.id),
        "node": linked(_column.node_id, NODE.name, select(NODE.id)),
        "kind": choice(_column.kind, STEPS),
        "state": choice(_column.state, STATES),
        "allocation": linked(_column.allocation_id, _allocation.name, select(_allocation.id)),
        "rack": named(_column.rack_id, Rack, "rack"),
        "requested_by": text(_column.requested_by),
        "worker": text(_column.worker),
        "step": text(_column.step),
        "reason": text(_column.reason),
        "attempt": number(_column.attempt, COUNT),
        "created_at": moment(_column.created_at),
        "started_at": moment(_column.started_at),
        "ended_at": moment(_column.ended_at),
    },
    keys={
        "created_at": Key(_column.created_at),
        "started_at": Key(_column.started_at, nullable=True),
        "ended_at": Key(_column.ended_at, nullable=True),
        "kind": Key(_column.kind),
        "state": Key(_column.state),
    },
    bare="node",
    order="-created_at",
    last=Key(_column.id, unique=True),
    shorthands=("node", "state", "kind"),
)
