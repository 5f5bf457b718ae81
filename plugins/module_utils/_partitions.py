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
from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, run

# As blkid writes them.
ROOT_TYPES = (  # GPT types of the Discoverable Partitions Specification, x86-64 and arm64
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "b921b045-1df0-41c3-af44-4c6f280d3fae",
)
ESP_TYPES = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")


class PartitionProblem(Exception):
    """The disk has no partitions that can be used; the text says which were found."""


def partition_path(name: str, number: int) -> str | None:
    """/dev path of a disk's partition by its number."""
    for entry in partitions(name):
        if read_int(f"/sys/class/block/{entry}/partition") == number:
            return "/dev/" + entry
    return None


def probe(paths: list[str]) -> dict[str, dict[str, str]]:
    """What blkid reads from the medium of each device, by path: TYPE of the file system, PART_ENTRY_TYPE of the partition."""
    found: dict[str, dict[str, str]] = {}
    words: dict[str, str] = {}
    for line in run(["blkid", "-p", "-o", "export", *paths], 30).out.splitlines() if paths else []:
        key, _equals, value = line.partition("=")
        if key == "DEVNAME":
            words = found.setdefault(value, {})
        words[key] = value
    return found


def numbered(name: str) -> list[dict]:
    """Partitions with number, path, table (gpt or dos), type (GPT type, or MBR id such as 0xef), start and size in bytes, fstype."""
    paths = ["/dev/" + entry for entry in partitions(name)]
    on_medium = probe(paths)
    found = []
    for path in paths:
        top = "/sys/class/block/" + os.path.basename(path)
        words = on_medium.get(path, {})
        found.append(
            {
                "number": read_int(top + "/partition"),
                "path": path,
                "table": words.get("PART_ENTRY_SCHEME", ""),
                "type": words.get("PART_ENTRY_TYPE", ""),
                "fstype": words.get("TYPE"),
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


def find_root(name: str, parts: list[dict]) -> dict:
    """The partition that holds the operating system: by GPT type, else the one file system with /etc and /usr.

    :param parts: the disk's partitions, as numbered() gives them
    :raises PartitionProblem: none or several
    """
    candidates = [part for part in parts if part["fstype"] in ("ext4", "ext3", "ext2", "xfs", "btrfs")]
    typed = [part for part in candidates if part["type"] in ROOT_TYPES]
    if len(typed) == 1:
        return typed[0]
    roots = [part for part in candidates if _looks_like_root(part["path"])]
    if len(roots) == 1:
        return roots[0]
    raise PartitionProblem(
        "/dev/{}: {} partition looks like a root file system (found: {}).".format(
            name,
            "more than one" if roots else "no",
            ", ".join("{} {}".format(part["path"], part["fstype"] or "without file system") for part in parts) or "no partitions",
        )
    )


def _looks_like_root(path: str) -> bool:
    try:
        with Mounted(path, "ro") as point:
            return all(os.path.isdir(os.path.join(point, folder)) for folder in ("etc", "usr"))
    except PartitionProblem:
        return False


def find_esp(parts: list[dict]) -> dict | None:
    """The EFI system partition among a disk's partitions, if it has one."""
    for part in parts:
        if part["type"] in ESP_TYPES:
            return part
    return None


def grow_last(name: str) -> dict:
    """Move GPT's backup header to the disk's end, and grow the last partition and its file system into the free space.

    :returns: what was done: partition, fstype, before_bytes, after_bytes, note
    :raises PartitionProblem: a tool failed
    """
    path = "/dev/" + name
    last = max(numbered(name), key=lambda part: part["start_bytes"], default=None)
    if last is None:
        return {"note": "no partitions"}
    if last["table"] == "gpt":
        _must(["sfdisk", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", path])
    elif last["table"] != "dos":
        return {"note": f"no partition table that can be grown ({last['table']})"}
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
