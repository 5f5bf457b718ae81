"""Many rows at once, as fast as each database takes them; beside ``db.py`` the only file that knows the dialect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

_SQLITE_MOMENT = "%Y-%m-%d %H:%M:%S.%f"


def bulk_insert(session: Session, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows: moments in UTC without a zone as the tables keep them, JSON as text.

    Ids may be given; those that the database makes afterwards are greater.
    """
    cursor: Any = session.connection().connection.cursor()
    names = ", ".join(f'"{name}"' for name in columns)
    if session.get_bind().dialect.name == "sqlite":
        holes = ", ".join("?" * len(columns))
        cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({holes})', map(_for_sqlite, rows))  # noqa: S608
        return
    with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
    if "id" in columns:
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM \"{table.name}\"")  # noqa: S608


def _for_sqlite(row: Sequence[Any]) -> list[Any]:
    return [value.strftime(_SQLITE_MOMENT) if isinstance(value, datetime) else value for value in row]
