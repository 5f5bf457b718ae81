"""How lists are sorted, and how they go on where a part ended: ``-mem,name``, the unknown last.

A cursor holds the values by which the last row was sorted, so the next part begins right behind it whatever was added or
deleted meanwhile. It is opaque, but for lists that are sorted by their numbers alone: there it is that number.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

from inventory_service.models.base import UtcDateTime
from inventory_service.problems import Invalid

_DIGITS = 18
"""So many fit into the databases' integers."""
_CURSOR_RULE = "the next of the answer before, with the same sort"


@dataclass(frozen=True)
class Key:
    """What a list can be sorted by.

    :param unique: no two rows share it, so nothing need be sorted behind it
    :param nullable: it may be unknown
    """

    column: ColumnElement[Any]
    unique: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class _Part:
    key: Key
    descending: bool

    @property
    def clauses(self) -> Iterable[ColumnElement[Any]]:
        column = self.key.column
        ordered = column.desc() if self.descending else column.asc()
        return [ordered.nulls_last() if self.key.nullable else ordered]

    def behind(self, value: Any) -> ColumnElement[bool]:
        """Whether a row comes later than one with that value."""
        if value is None:
            return false()
        column = self.key.column
        later: ColumnElement[bool] = column < value if self.descending else column > value
        return or_(later, column.is_(None)) if self.key.nullable else later

    def at(self, value: Any) -> ColumnElement[bool]:
        """Whether a row has that value."""
        return self.key.column.is_(None) if value is None else self.key.column == value

    def not_before(self, value: Any) -> ColumnElement[bool]:
        """Follows from the others; from it an index knows where to begin."""
        bound: ColumnElement[bool] = self.key.column <= value if self.descending else self.key.column >= value
        return bound


class Order:
    """The order of one list.

    :param keys: what it can be sorted by
    :param text: as it was typed
    :param last: what is sorted behind it, so that no two rows are equal
    :raises Invalid: it cannot be sorted like that
    """

    def __init__(self, keys: Mapping[str, Key], text: str, last: Key) -> None:
        self._text = text
        self._parts: list[_Part] = []
        for word in text.split(","):
            name = word.strip().removeprefix("-")
            if name not in keys:
                raise Invalid("sort", name, f"{name!r} is nothing to sort by", [*keys, "- before one: the greatest first"])
            self._parts.append(_Part(keys[name], word.strip().startswith("-")))
        if not any(one.key.unique for one in self._parts):
            self._parts.append(_Part(last, self._parts[0].descending))
        self._numbered = len(self._parts) == 1 and self._parts[0].key.column.type.python_type is int

    @property
    def columns(self) -> Sequence[ColumnElement[Any]]:
        """What a cursor is made of."""
        return [one.key.column for one in self._parts]

    @property
    def clauses(self) -> Sequence[ColumnElement[Any]]:
        """What a query is ordered by."""
        return [clause for one in self._parts for clause in one.clauses]

    def cursor(self, values: Sequence[Any]) -> str:
        """The cursor behind a row with these values of ``columns``."""
        if self._numbered:
            return str(values[0])
        kept = [one.isoformat() if isinstance(one, datetime) else one for one in values]
        packed = json.dumps([self._text, *kept], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    def behind(self, cursor: str) -> ColumnElement[bool]:
        """Whether a row comes behind that cursor.

        :raises Invalid: it is none of this order
        """
        values = self._values(cursor)
        chain = [
            and_(*(part.at(value) for part, value in zip(self._parts[:place], values, strict=False)), one.behind(values[place]))
            for place, one in enumerate(self._parts)
        ]
        first = self._parts[0]
        return or_(*chain) if first.key.nullable else and_(first.not_before(values[0]), or_(*chain))

    def _values(self, cursor: str) -> Sequence[Any]:
        if self._numbered:
            if not cursor.isascii() or not cursor.isdigit() or len(cursor) > _DIGITS:
                raise Invalid("after", cursor, f"{cursor!r} is not a cursor", _CURSOR_RULE)
            return [int(cursor)]
        try:
            text, *kept = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
            values = [_read(one.key, value) for one, value in zip(self._parts, kept, strict=True)]
        except (ValueError, TypeError, OverflowError):
            raise Invalid("after", cursor, f"{cursor!r} is not a cursor", _CURSOR_RULE) from None
        if text != self._text:
            raise Invalid("after", cursor, f"the cursor is of a list that is sorted by {str(text)!r}", _CURSOR_RULE)
        return values


def _read(key: Key, value: Any) -> Any:
    if value is None and key.nullable:
        return None
    if isinstance(key.column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    wanted = key.column.type.python_type
    if wanted is float and isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and abs(value) >= 2**63) or (wanted is str and not value.isprintable()):
        raise ValueError(value)
    return value
