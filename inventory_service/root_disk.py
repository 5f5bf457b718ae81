"""Which disk an operating system goes to. Never guessed: what is ambiguous is left to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory_service.models import Disk
from inventory_service.problems import AmbiguousRootDisk

_FASTEST_FIRST = ("nvme", "ssd", "hdd")


def unambiguous(disks: Sequence[Disk]) -> Disk | None:
    """The only disk; else the one that is alone of the fastest kind, or alone the smallest of that kind.

    A disk whose serial number is empty or shared (two namespaces of one NVMe drive) cannot be named, so is never it.
    """
    serials = [disk.serial for disk in disks]
    named = [disk for disk in disks if disk.serial and serials.count(disk.serial) == 1]
    if len(disks) == 1:
        return named[0] if named else None
    for kind in _FASTEST_FIRST:
        same = sorted((disk for disk in disks if disk.kind == kind), key=lambda disk: disk.size_bytes)
        if not same:
            continue
        alone = len(same) == 1 or same[0].size_bytes < same[1].size_bytes
        return same[0] if alone and same[0] in named else None
    return None


def candidates(disks: Sequence[Disk]) -> list[dict[str, Any]]:
    """The disks as an answer shows them to the one who has to choose."""
    return [
        {
            "serial": disk.serial,
            "name": disk.name,
            "kind": disk.kind,
            "size_bytes": disk.size_bytes,
            "model": disk.model,
        }
        for disk in disks
    ]


def refuse(node: str, disks: Sequence[Disk]) -> AmbiguousRootDisk:
    """The error that lists the candidates."""
    return AmbiguousRootDisk(
        f"node {node} has {len(disks)} disks and it is not clear which one to install on: "
        "give root_disk, the serial number of one of the candidates",
        field="root_disk",
        value=None,
        node=node,
        candidates=candidates(disks),
    )
