"""Sizes as people write them: ``32G``, ``32GiB`` and ``32768M`` are the same number of bytes."""

from __future__ import annotations

import re
from decimal import Decimal

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)\s*([KMGTP])(?:I?B)?", re.IGNORECASE | re.ASCII)

ALLOWED = "a number above 0 with a binary unit K, M, G, T or P (optionally iB or B), such as 32G, 32GiB or 32768M"


def parse_size(text: str) -> int:
    """Bytes of a size with a unit; units are binary (1G is 1073741824).

    :raises ValueError: anything else, a size of nothing included
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write {ALLOWED}")
    size = int(Decimal(match[1]) * 1024 ** _POWERS[match[2].upper()])
    if size <= 0 or size >= 2**62:
        raise ValueError(f"{text!r} is out of range; write {ALLOWED}")
    return size


def format_size(size: int) -> str:
    """The shortest exact way to write a number of bytes; ``parse_size`` reads it back (from 1 KiB up)."""
    for unit in ("P", "T", "G", "M", "K"):
        whole, rest = divmod(size, 1024 ** _POWERS[unit])
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{size}B"


def approximate_size(size: int) -> str:
    """A size for people to read, with one decimal."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")
