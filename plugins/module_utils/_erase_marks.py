# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of an erasure: marks that are written before and must be gone after, and samples that must be zeros."""

from __future__ import annotations

import os
import random
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import MIB, Device, ranges

GRANULE = 16  # not even so small a part of a mark may be left; by chance that happens once in 2^128
LARGEST = 4096
SAMPLE = 4096


class Mark(t.NamedTuple):
    """Random bytes that stand at one place of the disk."""

    offset: int
    pattern: bytes


def place_marks(device: Device, count: int, block: int) -> list[Mark]:
    """Write marks at random places, and at the first and the last block; read them back.

    :param count: marks beside the first and the last
    :param block: logical block size, bytes; a mark is a multiple of it between 512 and 4096 bytes
    :raises OSError: the disk does not give back what was written: then its reads prove nothing
    """
    slots = device.size // LARGEST
    inside = random.sample(range(1, slots - 1), min(count, max(slots - 2, 0))) if slots > 2 else []
    marks = []
    for slot in [0, *sorted(inside)]:
        length = block * random.randint(1, max(LARGEST // block, 1))
        marks.append(Mark(slot * LARGEST, os.urandom(length)))
    marks.append(Mark(device.size - block, os.urandom(block)))
    for mark in marks:
        device.write(mark.offset, mark.pattern)
    device.flush()
    for mark in marks:
        if device.read(mark.offset, len(mark.pattern)) != mark.pattern:
            raise OSError("the mark at byte %s did not read back: the disk does not keep what is written" % mark.offset)
    return marks


def marks_left(device: Device, marks: list[Mark]) -> list[int]:
    """Offsets of the marks of which anything is still there."""
    return [mark.offset for mark in marks if _anything_left(device.read(mark.offset, len(mark.pattern)), mark.pattern)]


def _anything_left(seen: bytes, pattern: bytes) -> bool:
    return any(seen[at : at + GRANULE] == pattern[at : at + GRANULE] for at in range(0, len(pattern), GRANULE))


def sample_zeros(device: Device, count: int, full_read_bytes: int) -> tuple[int, int, int]:
    """Read places spread over the whole disk: one at random in each of C(count) equal parts, and both ends.

    :param full_read_bytes: a disk of at most this size is read as a whole
    :returns: (places read, places that were all zeros, bytes read)
    """
    if device.size <= full_read_bytes:
        pieces = list(ranges(device.size, MIB))
    else:
        part = max(device.size // max(count, 1) // SAMPLE, 1)
        last = device.size // SAMPLE - 1
        places = {0, last} | {min(number * part + random.randrange(part), last) for number in range(count)}
        pieces = [(place * SAMPLE, SAMPLE) for place in sorted(places)]
    zero = bytes(max(length for unused, length in pieces))
    zeros = 0
    for offset, length in pieces:
        zeros += device.read(offset, length) == zero[:length]
    return len(pieces), zeros, sum(length for unused, length in pieces)
