"""Prepared statements say, answer and fail as SQLAlchemy's own do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, insert, or_, select
from sqlalchemy.exc import IntegrityError

from inventory_service.db import Database, connection_of
from inventory_service.models import NODE, NODES, Event, User
from inventory_service.prepared import SLOT, Prepared, among, at_least
from tests.service.world import World

_NAMES = Prepared(select(NODE.name).where(NODE.state == bindparam("state"), SLOT).order_by(NODE.name), about=NODES)


def test_values_have_the_same_types_both_ways(still_world: World) -> None:
    events, at = Event.__table__, datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    add = Prepared(insert(events).returning(events.c.at, events.c.detail), ["at", "kind", "actor", "detail"])
    with still_world.services.database.write() as session:
        assert add(connection_of(session), {"at": at, "kind": "test", "actor": "me", "detail": {"a": [1, None]}}) == [
            (at, {"a": [1, None]})
        ]


def test_conditions_stand_in_the_slot_with_their_values_in_order(still_world: World) -> None:
    for name, cpus in (("m1", 4), ("m2", 8), ("m3", 16)):
        still_world.ready_node(name, cpus=cpus)
    either = or_(NODE.cpus == 4, NODE.cpus == 16)
    with still_world.services.database.read() as session:
        connection = connection_of(session)
        for conditions, found in (
            ([], ["m1", "m2", "m3"]),
            ([at_least(NODE.cpus, 8)], ["m2", "m3"]),
            ([either, at_least(NODE.cpus, 8)], ["m3"]),
            ([among(NODE.name, ("m1", "m2")), either], ["m1"]),
        ):
            assert [name for (name,) in _NAMES(connection, {"state": "ready"}, conditions)] == found
        assert _NAMES(connection, {"state": "new"}) == []


def _add_twice(database: Database, name: str) -> None:
    add = Prepared(insert(User.__table__), ["name", "created_at"])
    with database.write() as session:
        for _time in range(2):
            add(connection_of(session), {"name": name, "created_at": datetime.now(UTC)})


def test_errors_are_those_of_sqlalchemy_and_the_connection_goes_on(still_world: World) -> None:
    database = still_world.services.database
    for _again in range(2):
        with pytest.raises(IntegrityError):
            _add_twice(database, "eve")
    with database.read() as session:
        assert session.scalar(select(User.id).where(User.name == "eve")) is None
