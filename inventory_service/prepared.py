"""Statements that every request says: compiled once, then handed to the driver as they are.

SQLAlchemy makes a context, a result and rows of its own for each execution, and looks for what it compiled by a key. That
is several times what the driver needs. A prepared statement has the same types, connection, transaction and errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
Processor = Callable[[Any], Any]

_CURSOR = "the cursor of prepared statements"
_NOTHING: Mapping[str, Any] = {}
listeners: list[Callable[[Connection, str, Sequence[Any]], None]] = []
"""Told of every statement: SQLAlchemy's own events do not hear of these."""


def run(connection: Connection, sql: str, values: Sequence[Any]) -> Sequence[Row]:
    """Hand a statement to the driver, and fetch all of its rows."""
    for listener in listeners:
        listener(connection, sql, values)
    pooled = connection.connection
    cursor = pooled.info.get(_CURSOR)
    if cursor is None:
        cursor = pooled.info[_CURSOR] = pooled.cursor()
    try:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else ()
    except connection.dialect.loaded_dbapi.Error as error:
        pooled.info.pop(_CURSOR, None)
        # As SQLAlchemy's own statements fail: the error is one of its errors, and a connection that is lost is given up.
        connection._handle_dbapi_exception(error, sql, None, cursor, None)


class _Compiled:
    """A statement in the words of one database."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self.names: Sequence[str] = compiled.positiontup or ()
        self.own = {name: one.value for name, one in compiled.binds.items() if not one.required}
        self._bind = [(name, to) for name, one in compiled.binds.items() if (to := _to_database(one.type, dialect))]
        told = statement.exported_columns if isinstance(statement, Select | UpdateBase) else ()
        self._read = [(place, to) for place, one in enumerate(told) if (to := _from_database(one.type, dialect))]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        known = {**self.own, **given}
        for name, convert in self._bind:
            known[name] = convert(known[name])
        return [known[name] for name in self.names]

    def rows(self, found: Sequence[Row]) -> Sequence[Row]:
        if not self._read:
            return found
        rows = [list(row) for row in found]
        for row in rows:
            for place, convert in self._read:
                row[place] = convert(row[place])
        return [tuple(row) for row in rows]


class Prepared:
    """A statement that is made once; called with a connection and the values of its parameters, it answers its rows."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        """
        :param columns: what an INSERT fills
        """
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Sequence[Row]:
        """Run it."""
        this = self._compiled.get(connection.dialect.name)
        if this is None:
            this = self._compiled[connection.dialect.name] = _Compiled(self._statement, self._columns, connection.dialect)
        return this.rows(run(connection, this.sql, this.values(values)))


def _to_database(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_database(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
