"""The small words that constraints are made of: texts, lists, sizes, speeds, ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from inventory_service.problems import Invalid
from inventory_service.sizes import ALLOWED as SIZES_ALLOWED
from inventory_service.sizes import parse_size

ARCHITECTURES = {"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}
LARGEST = 10**9


class Range(NamedTuple):
    """From the least to the most, both included; None is no bound."""

    least: int | None
    most: int | None


class Unit(NamedTuple):
    """How numbers of one kind are read.

    :param read: raises ValueError for what is no such number
    :param allowed: what errors say is allowed
    """

    read: Callable[[str], int]
    allowed: str


def text_of(field: str, value: Any) -> str:
    """A text or a number, as a text.

    :raises Invalid: it is neither
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid(field, value, "it has to be a text or a number")
    return str(value).strip()


def listed(field: str, value: Any, what: str) -> list[str]:
    """Words as a list, or as one text with commas between them; each is kept once.

    :param what: one of them, for errors
    :raises Invalid: no list of words, or an empty one
    """
    parts = value if isinstance(value, list) else text_of(field, value).split(",")
    words = list(dict.fromkeys(word for part in parts if (word := text_of(field, part))))
    if not words:
        raise Invalid(field, value, f"there is no {what} in it", f"{what} or {what},{what}")
    return words


def parse_arch(field: str, value: str) -> str:
    """The architecture by the name that the service keeps.

    :raises Invalid: it is none that the service knows
    """
    try:
        return ARCHITECTURES[value.strip().lower()]
    except KeyError:
        raise Invalid(field, value, f"{value!r} is no architecture", ARCHITECTURES) from None


def parse_tags(field: str, value: Any) -> list[str]:
    """Tags as a list, or as one text with commas."""
    return listed(field, value, "tag")


def one_of(field: str, value: Any, allowed: Mapping[str, Any]) -> list[Any]:
    """What the words of a list stand for, small and capital letters being the same.

    :raises Invalid: a word that is not in the table
    """
    words = listed(field, value, "word")
    for word in words:
        if word.lower() not in allowed:
            raise Invalid(field, value, f"{word!r} is not allowed", allowed)
    return [allowed[word.lower()] for word in words]


def parse_range(field: str, value: Any, unit: Unit) -> Range:
    """``32G`` (at least), ``32G..64G``, ``32G..`` and ``..64G``.

    :raises Invalid: anything else
    """
    text = text_of(field, value)
    low, dots, high = text.partition("..")
    try:
        least = unit.read(low) if low.strip() or not dots else None
        most = unit.read(high) if high.strip() else None
    except ValueError as error:
        raise Invalid(field, value, str(error), _range_allowed(unit)) from None
    if least is None and most is None:
        raise Invalid(field, value, "a range has a first or a last number", _range_allowed(unit))
    if least is not None and most is not None and most < least:
        raise Invalid(field, value, f"{high.strip()} is less than {low.strip()}", _range_allowed(unit))
    return Range(least, most)


def _range_allowed(unit: Unit) -> str:
    return f"{unit.allowed}; or a range from..to, from.. or ..to"


def _whole(text: str, least: int, allowed: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and least <= int(text) <= LARGEST):
        raise ValueError(f"{text!r} is not {allowed}")
    return int(text)


_WHOLE = f"a whole number from 1 to {LARGEST}"
_COUNT = f"a whole number from 0 to {LARGEST}"
_SPEED = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([MG]?)(HZ|B|BIT|BITS|BPS|BIT/S)?", re.IGNORECASE | re.ASCII)


def _speed(text: str, allowed: str) -> int:
    match = _SPEED.fullmatch(text.strip())
    millions = int(Decimal(match[1]) * (1000 if match[2].upper() == "G" else 1)) if match else 0
    if not 1 <= millions <= LARGEST:
        raise ValueError(f"{text.strip()!r} is not {allowed}")
    return millions


_CLOCK = "a clock rate in MHz, or with a unit: 2400, 2400MHz, 2.4GHz"
_LINK = "a speed in Mbit/s, or with a unit: 25000, 25000M, 25G"

WHOLE = Unit(lambda text: _whole(text, 1, _WHOLE), _WHOLE)
COUNT = Unit(lambda text: _whole(text, 0, _COUNT), _COUNT)
SIZE = Unit(parse_size, SIZES_ALLOWED)
CLOCK = Unit(lambda text: _speed(text, _CLOCK), _CLOCK)
LINK = Unit(lambda text: _speed(text, _LINK), _LINK)
