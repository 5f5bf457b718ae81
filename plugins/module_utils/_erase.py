# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Erase one disk: the strongest allowed method first, the next one when it fails or does not verify; all of it recorded."""

from __future__ import annotations

import datetime
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import Device, reread_partitions
from ansible_collections.metalpool.core.plugins.module_utils._disks import Disk, DiskProblem, release_disk
from ansible_collections.metalpool.core.plugins.module_utils._erase_marks import Mark, marks_left, place_marks, sample_zeros
from ansible_collections.metalpool.core.plugins.module_utils._erase_methods import EraseProblem, Job, Method, hidden_areas


class Proof(t.NamedTuple):
    """How an erasure is proved: marks beside the two at the ends, sampled places, size up to which all is read."""

    marks: int
    samples: int
    full_read_bytes: int


def now() -> str:
    """The time as the API writes it: ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_record(serial: str, path: str) -> dict:
    """The record of a disk about which nothing is proved."""
    return {
        "serial": serial,
        "path": path,
        "model": None,
        "size_bytes": None,
        "method": None,
        "category": None,
        "verified": False,
        "zeroed": False,
        "detail": "",
        "notes": [],
        "verification": {"marks": 0, "marks_left": 0, "samples": 0, "samples_zero": 0, "bytes_read": 0},
        "started_at": now(),
        "ended_at": now(),
        "seconds": 0.0,
        "attempts": [],
    }


def absent_record(serial: str) -> dict:
    """The record of a disk that the node has to have, and that is not there."""
    return dict(
        new_record(serial, "absent"),
        detail="not erased: the disk is expected and not there; find it, or commission the node again if it was taken out",
    )


def erase_disk(disk: Disk, methods: t.Sequence[Method], proof: Proof, limit_seconds: float) -> dict:
    """Erase and verify one disk.

    :returns: the erasure's record; C(verified) says whether it may be believed
    """
    started = time.monotonic()
    record = dict(new_record(disk.id, disk.path), model=disk.model, size_bytes=disk.size_bytes)
    if not disk.serial:
        record["notes"].append(f"the disk has no serial number; it is named by its {'WWN' if disk.wwn else 'path'}")
    try:
        taken = release_disk(disk.name)
        if taken:
            record["notes"].append("stopped before: " + ", ".join(taken))
        record["notes"] += hidden_areas(disk)
        for method in methods:
            attempt = _attempt(disk, method, proof, started + limit_seconds)
            record["attempts"].append({key: attempt[key] for key in ("method", "outcome", "reason", "seconds")})
            if attempt["outcome"] == "verified":
                record.update(
                    method=method.name,
                    category=method.category(disk),
                    verified=True,
                    zeroed=attempt["zeroed"],
                    verification=attempt["verification"],
                )
                break
    except (DiskProblem, OSError) as problem:
        record["attempts"].append({"method": None, "outcome": "failed", "reason": str(problem), "seconds": 0.0})
    record["ended_at"] = now()
    record["seconds"] = round(time.monotonic() - started, 3)
    record["detail"] = _detail(record)
    return record


def _attempt(disk: Disk, method: Method, proof: Proof, deadline: float) -> dict:
    """One method, from its probe to its proof."""
    started = time.monotonic()
    attempt: dict = {"method": method.name, "outcome": "failed", "reason": "", "seconds": 0.0, "zeroed": False, "verification": {}}
    try:
        reason = method.probe(disk)
        if reason:
            return dict(attempt, outcome="not applicable", reason=reason)
        with Device(disk.path, write=True) as device:
            marks = place_marks(device, proof.marks, disk.logical_block_bytes)
        method.run(Job(disk, deadline))
        attempt["verification"] = verification = _verify(disk, marks, proof)
        attempt["zeroed"] = verification["samples_zero"] == verification["samples"] > 0
        if verification["marks_left"]:
            attempt.update(outcome="not verified", reason=f"{verification['marks_left']} of {verification['marks']} marks are still there")
        elif method.zeros and not attempt["zeroed"]:
            attempt.update(
                outcome="not verified", reason=f"only {verification['samples_zero']} of {verification['samples']} places read as zeros"
            )
        else:
            attempt["outcome"] = "verified"
    except (EraseProblem, OSError) as problem:
        attempt["reason"] = str(problem)
    attempt["seconds"] = round(time.monotonic() - started, 3)
    return attempt


def _verify(disk: Disk, marks: list[Mark], proof: Proof) -> dict:
    with Device(disk.path) as device:
        device.drop_cache()
        left = marks_left(device, marks)
        samples, zeros, length = sample_zeros(device, proof.samples, proof.full_read_bytes)
    try:
        reread_partitions(disk.path)
    except OSError:
        pass  # the data are gone; a stale partition list of the kernel ends with the boot
    return {"marks": len(marks), "marks_left": len(left), "samples": samples, "samples_zero": zeros, "bytes_read": length}


def _detail(record: dict) -> str:
    """One line for people."""
    if record["verified"]:
        proof = record["verification"]
        zeros = f"{proof['samples_zero']} of {proof['samples']} places read as zeros"
        text = f"{record['method']} ({record['category']}): {proof['marks']} marks gone, {zeros}"
    else:
        tried = [
            "{}: {}".format(entry["method"] or "disk", entry["reason"])
            for entry in record["attempts"]
            if entry["outcome"] != "not applicable"
        ]
        text = "not erased: " + ("; ".join(tried) or "no allowed method applies")
    return "; ".join([text] + record["notes"])
