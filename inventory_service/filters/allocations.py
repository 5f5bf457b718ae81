"""Allocations: who holds or wants what, since when, until when."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from inventory_service.constraints.grammar import WORDS
from inventory_service.constraints.words import COUNT, SIZE
from inventory_service.filters.listed import Listed
from inventory_service.filters.sorting import Key
from inventory_service.filters.terms import Term
from inventory_service.filters.words import Conditions, Word, choice, flag, linked, moment, number, text
from inventory_service.models import NODE, Allocation, User
from inventory_service.models.allocation import STATES

_column, _user = Allocation.__table__.c, User.__table__.c


def _place(word: str) -> Word:
    """Where the node is."""

    def conditions(session: Any, term: Term) -> Conditions:
        met = [one.condition for one in WORDS[word](session, term.field, word, term.text)]
        return [_column.node_id.in_(select(NODE.id).where(*met))]

    return Word(("=",), conditions)


ALLOCATIONS = Listed(
    words={
        "name": text(_column.name),
        "state": choice(_column.state, STATES),
        "user": linked(_column.user_id, _user.name, select(_user.id)),
        "node": text(_column.node_name),
        "set": text(_column.set_name),
        "zone": _place("zone"),
        "pool": _place("pool"),
        "image": text(_column.image),
        "hostname": text(_column.hostname),
        "address": text(_column.address),
        "note": text(_column.note),
        "cpus": number(_column.cpus, COUNT),
        "mem": number(_column.memory_bytes, SIZE),
        "expired": flag(_column.expired_at.is_not(None)),
        **{word: moment(_column[word]) for word in ("created_at", "queued_at", "held_since", "expires_at", "activated_at", "released_at")},
    },
    keys={
        "id": Key(_column.id, unique=True),
        "name": Key(_column.name),
        "state": Key(_column.state),
        "node": Key(_column.node_name, nullable=True),
        "created_at": Key(_column.created_at),
        "held_since": Key(_column.held_since, nullable=True),
        "expires_at": Key(_column.expires_at, nullable=True),
        "released_at": Key(_column.released_at, nullable=True),
    },
    bare="name",
    order="-id",
    last=Key(_column.id, unique=True),
    shorthands=("state", "user", "node", "set"),
)
SHOW_RELEASED = ("state", "released_at")
"""Words about released allocations as well; without one of them these are not listed."""
