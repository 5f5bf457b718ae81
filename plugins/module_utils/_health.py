# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quick tests of disks and memory: short, within a time limit, and nothing is written to a disk."""

from __future__ import annotations

import glob
import mmap
import os
import random
import re
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import ALIGNMENT, MIB, Device
from ansible_collections.metalpool.core.plugins.module_utils._disks import Disk
from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, read_text
from ansible_collections.metalpool.core.plugins.module_utils._smart import problems, smart, wear_percent

PIECE = 4 * MIB
KEEP_FREE = 128 * MIB  # the ephemeral OS and this test itself go on living
PHASE = "health_test"


def result(name: str, failures: list[str], words: str, started: float, evidence: dict) -> dict:
    """One test's outcome in the form that the service keeps for scripts, with passed and evidence beside."""
    return {
        "name": name,
        "phase": PHASE,
        "passed": not failures,
        "exit_code": 1 if failures else 0,
        "output": "{}: {}".format(name, "; ".join([*failures, words])),
        "seconds": round(time.monotonic() - started, 3),
        "evidence": evidence,
    }


def test_disk(disk: Disk, seconds: float, least_mb_per_second: float) -> dict:
    """SMART, then reads at random places, then one long read; each read test takes half of the seconds."""
    started = time.monotonic()
    answer = smart(disk)
    failures = problems(disk, answer)
    evidence: dict = {
        "serial": disk.serial,
        "path": disk.path,
        "smart_passed": answer.get("smart_status", {}).get("passed"),
        "wear_percent": wear_percent(disk, answer),
        "random_reads": 0,
        "random_ms": None,
        "sequential_bytes": 0,
        "mb_per_second": None,
    }
    try:
        with Device(disk.path) as device:
            _random_reads(device, seconds / 2, evidence)
            _sequential_read(device, seconds / 2, evidence)
    except OSError as error:
        failures.append(f"read error: {error}")
    speed = evidence["mb_per_second"]
    if speed is not None and speed < least_mb_per_second:
        failures.append(f"reads {speed} MB/s, at least {least_mb_per_second:g} are wanted")
    words = "SMART %s, %s random reads of %s ms, %s MB/s" % (
        {True: "passed", False: "failed", None: "says nothing"}[evidence["smart_passed"]],
        evidence["random_reads"],
        evidence["random_ms"],
        speed,
    )
    return result(f"disk {disk.id}", failures, words, started, evidence)


def _random_reads(device: Device, seconds: float, evidence: dict) -> None:
    started = time.monotonic()
    blocks = device.size // ALIGNMENT
    while blocks and time.monotonic() - started < seconds and evidence["random_reads"] < 1000:
        place = random.randrange(blocks) * ALIGNMENT
        try:
            device.fetch(place, ALIGNMENT)
        except OSError as error:
            raise OSError(error.errno, "at byte %s: %s" % (place, error.strerror)) from error
        evidence["random_reads"] += 1
    if evidence["random_reads"]:
        evidence["random_ms"] = round((time.monotonic() - started) * 1000 / evidence["random_reads"], 2)


def _sequential_read(device: Device, seconds: float, evidence: dict) -> None:
    started = time.monotonic()
    offset = 0
    while offset + ALIGNMENT <= device.size and time.monotonic() - started < seconds:
        length = min(PIECE, (device.size - offset) // ALIGNMENT * ALIGNMENT)
        try:
            device.fetch(offset, length)
        except OSError as error:
            raise OSError(error.errno, "between byte %s and %s: %s" % (offset, offset + length, error.strerror)) from error
        offset += length
    passed = time.monotonic() - started
    evidence["sequential_bytes"] = offset
    evidence["mb_per_second"] = round(offset / 1e6 / passed, 1) if offset and passed else None


def memory_size(percent: float, size_bytes: int | None) -> int:
    """How much memory to test: what was asked for, but never so much that the node runs out of it."""
    info = read_text("/proc/meminfo") or ""
    total, available = (
        int(match.group(1)) * 1024 if match else 0
        for match in (re.search(rf"^{name}:\s+(\d+) kB", info, re.MULTILINE) for name in ("MemTotal", "MemAvailable"))
    )
    wanted = size_bytes if size_bytes is not None else int(total * percent / 100)
    return max(min(wanted, available - KEEP_FREE), 0) // MIB * MIB


def test_memory(size: int, seconds: float, flaws: t.Callable[[mmap.mmap], None] = lambda region: None) -> dict:
    """Patterns into memory and back until the time is over: one at least as far as it gets, then more passes.

    Each MiB gets a pattern of its own, so that two addresses that hit the same cell are seen.

    :param flaws: called between writing and reading; the test of this test puts its errors in there
    """
    started = time.monotonic()
    before = edac_errors()
    failures: list[str] = []
    passes, checked = 0, 0
    if size:
        with mmap.mmap(-1, size) as region:
            while not failures and (passes == 0 or time.monotonic() - started < seconds):
                fill = _pattern(passes)
                # half of the time that is left is for reading back
                now = time.monotonic()
                written = _write(region, size, fill, now + (started + seconds - now) / 2)
                flaws(region)
                failures += _compare(region, written, fill)
                checked += written
                passes += 1
    else:
        failures.append("too little memory is free to test any")
    after = edac_errors()
    for kind, words in (("uncorrected", "uncorrectable memory errors"), ("corrected", "corrected memory errors")):
        if after[kind] > before[kind] or (kind == "uncorrected" and after[kind]):
            failures.append("%s %s" % (after[kind], words))
    evidence = {"size_bytes": size, "checked_bytes": checked, "passes": passes, "edac": after}
    words = "%s MiB checked in %s passes over %s MiB" % (checked // MIB, passes, size // MIB)
    return result("memory", failures, words, started, evidence)


def _pattern(number: int) -> t.Callable[[int], bytes]:
    """The pattern of pass C(number) for the MiB with a given index."""
    fixed = (None, b"\xaa", b"\x55", b"\xff", b"\x00")[number % 5]
    if fixed is not None:
        block = fixed * MIB
        return lambda index: block
    noise = os.urandom(2 * MIB)
    # 4093 is prime: the same shift comes back after 256 * 4093 bytes at the earliest
    return lambda index: noise[index * 4093 % MIB : index * 4093 % MIB + MIB]


def _write(region: mmap.mmap, size: int, fill: t.Callable[[int], bytes], until: float) -> int:
    offset = 0
    while offset < size and (offset == 0 or time.monotonic() < until):
        region[offset : offset + MIB] = fill(offset // MIB)
        offset += MIB
    return offset


def _compare(region: mmap.mmap, written: int, fill: t.Callable[[int], bytes]) -> list[str]:
    for offset in range(0, written, MIB):
        expected, seen = fill(offset // MIB), region[offset : offset + MIB]
        if seen != expected:
            at = next(index for index in range(MIB) if seen[index] != expected[index])
            return ["byte %s read 0x%02x, 0x%02x was written" % (offset + at, seen[at], expected[at])]
    return []


def edac_errors() -> dict[str, int]:
    """Memory errors that the memory controllers counted since boot (kernel documentation, RAS: ce_count, ue_count)."""

    def total(name: str) -> int:
        return sum(read_int(path, 0) or 0 for path in glob.glob("/sys/devices/system/edac/mc/mc*/" + name))

    return {"corrected": total("ce_count"), "uncorrected": total("ue_count")}
