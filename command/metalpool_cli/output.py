"""What is shown: tables and pairs for people, JSON for pipes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

Document = Mapping[str, Any]
Column = tuple[str, str | Callable[[Document], Any]]
"""A column's title, and the member that it shows or how it is made."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and what turns the direction of text around."""
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def say(words: str, err: bool = False) -> None:
    """Print; the only way to a terminal of whatever the service answers, see ``harmless``."""
    click.echo(harmless(words), err=err)


def harmless(words: str) -> str:
    """The same without what a terminal would act upon: names, logs and hardware are said by machines that nobody may trust.

    Escaped as in JSON, so that a document is still the same document.
    """
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", words)


def show_json(document: Any) -> None:
    """A document as the API gave it."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def show_json_line(document: Any, err: bool = False) -> None:
    """A document in one line."""
    say(json.dumps(document, ensure_ascii=False), err)


def show_table(columns: Sequence[Column], rows: Iterable[Document], nothing: str) -> None:
    """A table, or a sentence when it would be empty."""
    cells = [[text(make(row) if callable(make) else row.get(make)) for _title, make in columns] for row in rows]
    if not cells:
        say(nothing, err=True)
    for line in table_lines([title for title, _make in columns], cells) if cells else []:
        say(line)


def table_lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; nothing without rows."""
    if not rows:
        return []
    widths = [max(len(row[index]) for row in (titles, *rows)) for index in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (titles, *rows)]


def show_lines(lines: Iterable[str]) -> None:
    """Sentences, one a line."""
    for line in lines:
        say(line)


def show_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one a line; what has no value is left out."""
    shown = [(name, text(value)) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _value in shown), default=0)
    for name, value in shown:
        say(f"{name.ljust(width)}  {value}".replace("\n", "\n" + " " * (width + 2)))


def text(value: Any) -> str:
    """A value as one reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(text(one) for one in value)
    return str(value)


def size(number: int | None) -> str | None:
    """Bytes in binary units."""
    if number is None:
        return None
    amount, unit = number / 1024, 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if amount >= 10 or amount == int(amount) else f"{amount:.1f} {_UNITS[unit]}"


def moment(stamp: str | None) -> str | None:
    """A time of the API's in the reader's time zone."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M:%S") if stamp else None


def until(stamp: str | None) -> str | None:
    """How far off a time of the API's is."""
    if not stamp:
        return None
    left = (datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds()
    return f"in {seconds(left)}" if left >= 0 else f"{seconds(-left)} ago"


def seconds(value: float | None) -> str:
    """A duration: 8.3 s, 2 min 5 s, 1 h 2 min, 3 d 4 h."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
