"""Lists of parts that a node must have, such as ``1T nvme, 4 x hdd 2T..``: typed as one text, or as a list."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inventory_service.constraints.words import WHOLE
from inventory_service.problems import Invalid

MOST_ENTRIES = 6
MOST_PARTS = 64
_PART = re.compile(r"""(?:[^,"']|"[^"]*"|'[^']*'|["'])+""")
_COUNT = re.compile(r"(\d+)\s*x(?=\s|$)\s*|(\d+)\s*x(?=[a-z]+\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """So many parts, and what each of them must be.

    :param field: how errors call it
    :param values: the user's values by key
    """

    field: str
    count: int
    values: Mapping[str, Any]

    def __str__(self) -> str:
        said = " ".join(f"{key}={_said(value)}" for key, value in self.values.items())
        return f"{self.count} x {said}".strip() if self.count > 1 or not said else said


def _said(value: Any) -> str:
    return "+".join(str(one) for one in value) if isinstance(value, list) else str(value)


def parse_entries(
    field: str, value: Any, keys: Iterable[str], bare: Callable[[str], tuple[str, Any] | None], example: str
) -> list[Entry]:
    """The entries of a list.

    :param keys: what an entry may say, besides ``count``
    :param bare: key and value of a word without ``=``; None when it means nothing
    :param example: what errors say is allowed
    :raises Invalid: anything else
    """
    keys = (*keys, "count")
    items = _items(field, value, bare, example)
    if not 1 <= len(items) <= MOST_ENTRIES:
        raise Invalid(field, value, f"{len(items)} entries", f"1 to {MOST_ENTRIES} entries, such as {example}")
    entries = []
    for index, item in enumerate(items):
        for key in item:
            if key not in keys:
                raise Invalid(f"{field}.{index}.{key}", item[key], f"{key!r} says nothing here", keys)
        wanted = {key: one for key, one in item.items() if key != "count" and one not in (None, "", [])}
        entries.append(Entry(f"{field}.{index}", _count(f"{field}.{index}.count", item.get("count", 1)), wanted))
    return entries


def _items(
    field: str, value: Any, bare: Callable[[str], tuple[str, Any] | None], example: str
) -> list[dict[str, Any]]:
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise Invalid(field, value, f"it is no JSON: {error}", example) from None
    if isinstance(value, str):
        value = [part for part in _PART.findall(value) if part.strip()]
    elif isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, (str, dict)) for one in value):
        raise Invalid(field, value, "it has to be a list, or a text with commas between the entries", example)
    return [
        one if isinstance(one, dict) else _of_text(f"{field}.{index}", one.strip(), bare, example)
        for index, one in enumerate(value)
    ]


def _of_text(
    field: str, text: str, bare: Callable[[str], tuple[str, Any] | None], example: str
) -> dict[str, Any]:
    counted = _COUNT.match(text)
    found: dict[str, Any] = {"count": counted[1] or counted[2]} if counted else {}
    try:
        words = shlex.split(text[counted.end() :] if counted else text)
    except ValueError as error:
        raise Invalid(field, text, f"it cannot be read: {error}", example) from None
    for word in words:
        key, equals, said = word.partition("=")
        pair = (key, said) if equals else bare(word)
        if pair is None:
            raise Invalid(field, text, f"{word!r} means nothing here", example)
        if pair[0] in found and pair[0] not in ("tag", "tags"):
            raise Invalid(field, text, f"{pair[0]} is said twice", example)
        found[pair[0]] = [*_as_list(found[pair[0]]), pair[1]] if pair[0] in found else pair[1]
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _count(field: str, value: Any) -> int:
    try:
        count = WHOLE.read(str(value)) if not isinstance(value, bool) else 0
    except ValueError:
        count = 0
    if not 1 <= count <= MOST_PARTS:
        raise Invalid(field, value, f"{value!r} is not a number of parts", f"1 to {MOST_PARTS}")
    return count
