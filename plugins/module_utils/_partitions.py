# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition table and root file system of a disk that was just written: find it, and grow it to the disk's end."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import reread_partitions
from ansible_collections.metalpool.core.plugins.module_utils._disks import SECTOR, partitions
from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, run, run_json

ROOT_TYPES = (  # GPT types of the Discoverable Partitions Specification, x86-64 and arm64
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
)
ESP_TYPES = ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef")


class PartitionProblem(Exception):
    """The disk has no partitions that can be used; the text says which were found."""


def table(path: str) -> dict:
    """The partition table as sfdisk sees it on the medium ({} when there is none)."""
    answer = run_json(["sfdisk", "--json", path], 30)
    return answer["partitiontable"] if answer else {}


def partition_path(name: str, number: int) -> str | None:
    """/dev path of a disk's partition by its number."""
    for entry in partitions(name):
        if read_int(f"/sys/class/block/{entry}/partition") == number:
            return "/dev/" + entry
    return None


def file_system(path: str) -> str | None:
    """Type of the file system on a partition, read from the medium; None when there is none."""
    return run(["blkid", "-p", "-o", "value", "-s", "TYPE", path], 30).out.strip() or None


def numbered(name: str) -> list[dict]:
    """Partitions with number, path, type (GPT type or MBR id), start and size in bytes, fstype."""
    types = {entry["node"]: entry.get("type", "") for entry in table("/dev/" + name).get("partitions", [])}
    found = []
    for entry in partitions(name):
        path = "/dev/" + entry
        top = "/sys/class/block/" + entry
        found.append(
            {
                "number": read_int(top + "/partition"),
                "path": path,
                "type": types.get(path, ""),
                "fstype": file_system(path),
                "start_bytes": (read_int(top + "/start", 0) or 0) * SECTOR,
                "size_bytes": (read_int(top + "/size", 0) or 0) * SECTOR,
            }
        )
    return found


class Mounted:
    """A file system that is mounted at a temporary place, and unmounted whatever happens."""

    def __init__(self, path: str, options: str = "rw") -> None:
        self.path, self.options = path, options

    def __enter__(self) -> str:
        self.point = tempfile.mkdtemp(prefix="metalpool-")
        done = run(["mount", "-o", self.options, self.path, self.point], 60)
        if not done.ok:
            os.rmdir(self.point)
            raise PartitionProblem(f"{self.path} cannot be mounted: {done.reason()}")
        return self.point

    def __exit__(self, *unused: t.Any) -> None:
        done = run(["umount", self.point], 120)
        if not done.ok:
            run(["umount", "-l", self.point], 30)
            raise PartitionProblem(f"{self.path} could not be unmounted in good order: {done.reason()}")
        os.rmdir(self.point)


def find_root(name: str) -> dict:
    """The partition that holds the operating system: by GPT type, else the one file system with /etc and /usr.

    :raises PartitionProblem: none or several
    """
    candidates = [part for part in numbered(name) if part["fstype"] in ("ext4", "ext3", "ext2", "xfs", "btrfs")]
    typed = [part for part in candidates if part["type"].upper() in ROOT_TYPES]
    if len(typed) == 1:
        return typed[0]
    roots = [part for part in candidates if _looks_like_root(part["path"])]
    if len(roots) == 1:
        return roots[0]
    raise PartitionProblem(
        "/dev/{}: {} partition looks like a root file system (found: {}).".format(
            name,
            "more than one" if roots else "no",
            ", ".join("{} {}".format(part["path"], part["fstype"] or "without file system") for part in numbered(name)) or "no partitions",
        )
    )


def _looks_like_root(path: str) -> bool:
    try:
        with Mounted(path, "ro") as point:
            return all(os.path.isdir(os.path.join(point, folder)) for folder in ("etc", "usr"))
    except PartitionProblem:
        return False


def find_esp(name: str) -> dict | None:
    """The EFI system partition, if the disk has one."""
    for part in numbered(name):
        if part["type"].upper() in ESP_TYPES or part["type"].lower() in ESP_TYPES:
            return part
    return None


def grow_last(name: str) -> dict:
    """Move GPT's backup header to the disk's end, and grow the last partition and its file system into the free space.

    :returns: what was done: partition, fstype, before_bytes, after_bytes, note
    :raises PartitionProblem: a tool failed
    """
    path = "/dev/" + name
    label = table(path).get("label")
    if label == "gpt":
        _must(["sfdisk", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", path])
    elif label != "dos":
        return {"note": f"no partition table that can be grown ({label})"}
    last = max(numbered(name), key=lambda part: part["start_bytes"], default=None)
    if last is None:
        return {"note": "no partitions"}
    report = {"partition": last["path"], "fstype": last["fstype"], "before_bytes": last["size_bytes"], "note": None}
    _must(["sfdisk", "--no-reread", "--no-tell-kernel", "-N", str(last["number"]), path], stdin=", +\n")
    reread_partitions(path)
    tool, grower = GROWERS.get(last["fstype"], (None, None))
    if grower and shutil.which(tool):
        grower(last["path"])
    else:
        report["note"] = "file system {} is not grown here{}; the installed system may do it at its first boot".format(
            last["fstype"], f" ({tool} is not installed)" if tool else ""
        )
    report["after_bytes"] = (read_int("/sys/class/block/{}/size".format(os.path.basename(last["path"])), 0) or 0) * SECTOR
    return report


def _must(argv: list[str], timeout: float = 600, stdin: str | None = None, good: tuple = (0,)) -> None:
    done = run(argv, timeout, stdin)
    if done.rc not in good:
        raise PartitionProblem(done.reason())


def _grow_ext(path: str) -> None:
    # resize2fs asks for a check only when the file system was ever mounted since its last one
    if not run(["resize2fs", path], 600).ok:
        _must(["e2fsck", "-fy", path], good=(0, 1))  # 1: errors were corrected
        _must(["resize2fs", path])


def _grow_xfs(path: str) -> None:
    with Mounted(path, "rw,nouuid") as point:
        _must(["xfs_growfs", point])


def _grow_btrfs(path: str) -> None:
    with Mounted(path) as point:
        _must(["btrfs", "filesystem", "resize", "max", point])


GROWERS = {
    "ext2": ("resize2fs", _grow_ext),
    "ext3": ("resize2fs", _grow_ext),
    "ext4": ("resize2fs", _grow_ext),
    "xfs": ("xfs_growfs", _grow_xfs),
    "btrfs": ("btrfs", _grow_btrfs),
}
