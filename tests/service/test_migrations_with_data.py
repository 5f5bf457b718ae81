"""Every revision goes up and down with rows in every table, and no row is lost where the tables allow it.

The rows are made up from the tables as they are at each revision, so that a new revision is tested without a word here.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, DateTime, Engine, Float, Integer, MetaData, Table, inspect, select

from inventory_service.db import make_engine, migrations_config
from inventory_service.models import Base

ROWS = (1, 2)
MADE_BY_HAND = {("role_grant", "group_id"): None}
"""What a constraint over several columns asks for."""

Rows = dict[str, list[dict[str, Any]]]


def _tables(engine: Engine) -> list[Table]:
    """The tables as they are in the database, those that are referred to first."""
    found = MetaData()
    found.reflect(engine)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def _rows(engine: Engine) -> Rows:
    with engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in _tables(engine)
        }


def _allowed(engine: Engine, table: Table) -> dict[str, str]:
    """The first value that a constraint such as ``kind IN ('boot', 'reserved')`` allows, by column."""
    allowed: dict[str, str] = {}
    for check in inspect(engine).get_check_constraints(table.name):
        values = re.search(r"'([^']*)'", check["sqltext"])
        words = re.findall(r"\w+", check["sqltext"])
        if values:
            allowed[next(word for word in words if word in table.columns)] = values.group(1)
    return allowed


def _value(table: Table, column: Column[Any], number: int, allowed: dict[str, str]) -> Any:
    if (table.name, column.name) in MADE_BY_HAND:
        return MADE_BY_HAND[table.name, column.name]
    for key in column.foreign_keys:
        return _value(key.column.table, key.column, number, {})
    if column.name in allowed:
        return allowed[column.name]
    kinds: list[tuple[type[Any], Any]] = [
        (Boolean, number == 1),
        (Integer, number),
        (Float, number + 0.5),
        (DateTime, datetime(2026, 1, 1) + timedelta(days=number, microseconds=5)),
        (JSON, {"text": f"{column.name} {number}", "list": [number, None]}),
    ]
    return next((value for kind, value in kinds if isinstance(column.type, kind)), f"{table.name}.{column.name} {number}")


def _fill(engine: Engine) -> None:
    """Put rows into the tables that have none."""
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        for table in _tables(engine):
            if connection.execute(select(table)).first() is None:
                allowed = _allowed(engine, table)
                for number in ROWS:
                    values = {column.name: _value(table, column, number, allowed) for column in table.columns}
                    connection.execute(table.insert().values(values))


def _assert_kept(before: Rows, after: Rows) -> None:
    for name in before.keys() & after.keys():
        assert len(after[name]) == len(before[name]), name
        for old, new in zip(before[name], after[name], strict=True):
            common = old.keys() & new.keys()
            assert {key: new[key] for key in common} == {key: old[key] for key in common}, name


def test_rows_survive_every_revision_up_and_down(empty_url: str) -> None:
    config = migrations_config(empty_url)
    revisions = list(reversed(list(ScriptDirectory.from_config(config).walk_revisions())))
    engine = make_engine(empty_url)
    kept: Rows = {}
    for revision in revisions:
        command.upgrade(config, revision.revision)
        _assert_kept(kept, _rows(engine))
        _fill(engine)
        kept = _rows(engine)
    assert kept.keys() == Base.metadata.tables.keys()
    assert {len(rows) for rows in kept.values()} == {len(ROWS)}
    for revision in reversed(revisions[1:]):
        command.downgrade(config, str(revision.down_revision))
        below = _rows(engine)
        _assert_kept(kept, below)
        kept = below
    assert all(kept.values())
    command.upgrade(config, "head")
    _assert_kept(kept, _rows(engine))
    command.downgrade(config, "base")
    assert _rows(engine) == {}
    engine.dispose()
