"""Parts of lists: one row more than asked for tells whether there is a next part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session

from inventory_service.problems import Invalid

T = TypeVar("T")
_DIGITS = 18
"""So many fit into the databases' integers."""


def part(session: Session, query: Select[T], limit: int, cursor: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """So many rows of a query, and the cursor of the next part."""
    rows = session.scalars(query.limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(cursor(rows[limit - 1]))


def number(after: str | None) -> int | None:
    """A cursor that is a number.

    :raises Invalid: it is none
    """
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > _DIGITS:
        raise Invalid("after", after, f"{after!r} is not a cursor", "the next of the answer before")
    return int(after)
