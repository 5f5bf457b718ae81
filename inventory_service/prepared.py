"""Statements that every request says: compiled once, then handed to the driver as they are.

SQLAlchemy makes a context, a result and rows of its own for each execution, and looks for what it compiled by a key. That
is several times what the driver needs. A prepared statement has the same types, connection, transaction and errors.

What differs from call to call are values, and the conditions that stand in its ``SLOT``: of those each is compiled by itself
and put in as text, so that a statement with other conditions is not compiled as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, Connection, Dialect, FromClause, Select, literal_column, select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]

SLOT: ColumnElement[Any] = literal_column("/* conditions */")
"""Where the conditions stand that a statement is called with."""
_KEPT = 4096
_CURSOR = "the cursor of prepared statements"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
listeners: list[Callable[[Connection, str, Sequence[Any]], None]] = []
"""Told of every statement: SQLAlchemy's own events do not hear of these."""


class Prepared:
    """A statement that is made once; called with a connection and the values of its parameters, it answers its rows."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None, about: FromClause | None = None) -> None:
        """
        :param columns: what an INSERT fills
        :param about: the table that the conditions in its slot are about
        """
        self._statement = statement
        self._columns = columns
        self._about = about
        self._compiled: dict[str, _Compiled] = {}

    def __call__(
        self, connection: Connection, values: Mapping[str, Any] = _NOTHING, conditions: Sequence[ColumnElement[bool]] = ()
    ) -> Sequence[Row]:
        """Run it.

        :param conditions: what stands in its slot; all of them have to be met
        """
        dialect = connection.dialect
        this = self._compiled.get(dialect.name)
        if this is None:
            this = self._compiled[dialect.name] = _Compiled(self._statement, dialect, self._columns)
        sql, in_order = this.sql, this.values(values)
        if self._about is not None:
            sql, in_order = this.filled(in_order, [_condition(one, self._about, dialect) for one in conditions])
        return this.rows(_run(connection, sql, in_order, has_rows=this.has_rows))


def _run(connection: Connection, sql: str, values: Sequence[Any], *, has_rows: bool) -> Sequence[Row]:
    """Hand a statement to the driver, and fetch all of its rows."""
    for listener in listeners:
        listener(connection, sql, values)
    pooled = connection.connection
    cursor = pooled.info.get(_CURSOR)
    if cursor is None:
        cursor = pooled.info[_CURSOR] = pooled.cursor()
    try:
        cursor.execute(sql, values)
        return cursor.fetchall() if has_rows else ()
    except connection.dialect.loaded_dbapi.Error as error:
        pooled.info.pop(_CURSOR, None)
        # As SQLAlchemy's own statements fail: the error is one of its errors, and a connection that is lost is given up.
        connection._handle_dbapi_exception(error, sql, None, cursor, None)


class _Compiled:
    """A statement, or a condition, in the words of one database."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        asked_for = [name for name, one in compiled.binds.items() if one.required]
        self._own = compiled.construct_params(dict.fromkeys(asked_for), escape_names=False)
        kinds = {name: _kind(compiled, name).dialect_impl(dialect) for name in self._names}
        self._bind = [(name, to) for name, kind in kinds.items() if (to := kind.bind_processor(dialect))]
        told = statement.exported_columns if isinstance(statement, SelectBase | UpdateBase) else ()
        types = [one.type.dialect_impl(dialect) for one in told]
        self.has_rows = bool(types)
        self._read = [(place, to) for place, kind in enumerate(types) if (to := kind.result_processor(dialect, None))]
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self._before, _slot, self._after = self.sql.partition(str(SLOT))
        self._values_before = self._before.count(mark)

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The values of its parameters, in order, as the driver takes them."""
        known = {**self._own, **given}
        for name, convert in self._bind:
            known[name] = convert(known[name])
        return [known[name] for name in self._names]

    def filled(self, values: list[Any], conditions: Iterable[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
        """The statement and its values with conditions in its slot."""
        texts, theirs = [], []
        for text, some in conditions:
            texts.append(text)
            theirs += some
        place = self._values_before
        return f"{self._before}{' AND '.join(texts) or 'true'}{self._after}", [*values[:place], *theirs, *values[place:]]

    def rows(self, found: Sequence[Row]) -> Sequence[Row]:
        """What the driver found, as Python's own types."""
        if not self._read:
            return found
        rows = [list(row) for row in found]
        for row in rows:
            for place, convert in self._read:
                row[place] = convert(row[place])
        return [tuple(row) for row in rows]


def _kind(compiled: SQLCompiler, name: str) -> TypeEngine[Any]:
    """The type of a parameter; those of a list are ``zone_id_1_1``, ``zone_id_1_2`` and so on, and the list is ``zone_id_1``."""
    while name not in compiled.binds:
        name = name.rpartition("_")[0]
    return compiled.binds[name].type


@lru_cache(_KEPT)
def _condition(condition: ColumnElement[bool], about: FromClause, dialect: Dialect) -> tuple[str, list[Any]]:
    """A condition with its values, as it stands in a query over its table: there, subqueries know which row is meant."""
    query: Select[Any] = select(literal_column("1")).select_from(about).where(condition)
    compiled = _Compiled(query, dialect)
    return f"({compiled.sql.partition('WHERE ')[2]})", compiled.values(_NOTHING)


@lru_cache(_KEPT)
def among(column: ColumnElement[Any], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Whether a column has one of these values; made once for the same ones, so that it is compiled once."""
    return column.in_(values)


@lru_cache(_KEPT)
def at_least(column: ColumnElement[Any], value: float) -> ColumnElement[bool]:
    """Whether a column has so much; made once for the same value, so that it is compiled once."""
    return column >= value
