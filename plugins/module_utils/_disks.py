# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disks of this machine as /sys tells them: which there are, who they are, and who uses them."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, read_text, run

# Not disks that an operating system is installed on: RAM, loop, optical, floppy, compositions of other disks,
# and the boot and replay-protected areas of eMMC.
IGNORED = re.compile(r"^(loop|ram|zram|sr|fd|dm-|md|bcache|nbd|zd|mtdblock|nvme\d+c\d+n)|^mmcblk\d+(boot|rpmb|gp)")
SECTOR = 512  # unit of /sys/block/*/size and /sys/block/*/*/start


class Disk(t.NamedTuple):
    """One whole disk. C(id) is what it is called in reports: serial, else wwn, else path."""

    name: str
    path: str
    stable_path: str
    model: str | None
    serial: str | None
    wwn: str | None
    size_bytes: int
    kind: str
    rotational: bool
    transport: str | None
    logical_block_bytes: int
    removable: bool

    @property
    def id(self) -> str:
        return self.serial or self.wwn or self.path

    def is_called(self, name: str) -> bool:
        """Is this its serial number or its WWN (written naa. or 0x)?"""
        return name == self.serial or (self.wwn is not None and self.wwn == ("naa." + name[2:] if name.startswith("0x") else name))


class DiskProblem(Exception):
    """A disk that is not there, not unique, or in use; the text says what to do."""


def list_disks() -> list[Disk]:
    """Every disk an operating system may be installed on, in the kernel's order."""
    names = sorted(os.listdir("/sys/block"), key=_natural) if os.path.isdir("/sys/block") else []
    return [disk for disk in (read_disk(name) for name in names if not IGNORED.match(name)) if _is_storage(disk)]


def read_disk(name: str) -> Disk:
    """One block device by its kernel name (also one that list_disks leaves out)."""
    top = "/sys/block/" + name
    udev = _udev_properties(top)
    rotational = read_int(top + "/queue/rotational", 0) == 1
    transport = _transport(top, name)
    return Disk(
        name=name,
        path="/dev/" + name,
        stable_path=_stable_path(name),
        model=_clean(read_text(top + "/device/model") or udev.get("ID_MODEL")),
        serial=_serial(top, name, udev),
        wwn=_wwn(top, udev),
        size_bytes=(read_int(top + "/size", 0) or 0) * SECTOR,
        kind="nvme" if transport == "nvme" else "hdd" if rotational else "ssd",
        rotational=rotational,
        transport=transport,
        logical_block_bytes=read_int(top + "/queue/logical_block_size", 512) or 512,
        removable=read_int(top + "/removable", 0) == 1,
    )


def find_disk(name: str) -> Disk:
    """The one disk with that serial number or WWN; or, when it begins with a slash, that path.

    :raises DiskProblem: none or several fit; never a guess
    """
    if name.startswith("/"):
        real = os.path.realpath(name)
        if not os.path.exists(real):
            raise DiskProblem(f"disk: {name} does not exist on this node. {_what_there_is()}")
        if not os.path.isdir("/sys/block/" + os.path.basename(real)):
            raise DiskProblem(f"disk: {name} is not a whole disk; give the disk, not a partition or a file. {_what_there_is()}")
        return read_disk(os.path.basename(real))
    fitting = [disk for disk in list_disks() if disk.is_called(name)]
    if not fitting:
        raise DiskProblem(f"disk: no disk of this node has the serial number or WWN {name}. {_what_there_is()}")
    if len(fitting) > 1:
        raise DiskProblem(
            "disk: {} fits several disks ({}: one disk by several ways?); give the path of the one that is meant.".format(
                name, ", ".join(disk.path for disk in fitting)
            )
        )
    return fitting[0]


def find_disks(names: t.Sequence[str]) -> list[Disk]:
    """Disks by serial number, WWN or path, each once; every disk for the one word "all".

    :raises DiskProblem: a name that fits no disk, or several
    """
    if list(names) == ["all"]:
        return list_disks()
    return list({disk.path: disk for disk in (find_disk(name) for name in names)}.values())


def _what_there_is() -> str:
    there = ", ".join(f"{disk.path} (serial {disk.serial}, {disk.size_bytes} bytes)" for disk in list_disks())
    return f"There are: {there or 'no disks at all'}."


def partitions(name: str) -> list[str]:
    """Kernel names of a disk's partitions, by number."""
    top = "/sys/block/" + name
    found = [entry for entry in _listdir(top) if os.path.exists(f"{top}/{entry}/partition")]
    return sorted(found, key=lambda entry: read_int(f"{top}/{entry}/partition", 0) or 0)


def holders(name: str) -> list[str]:
    """Kernel names of the devices (dm, md, bcache) that are built on a disk or its partitions, the topmost first."""
    direct: list[str] = []
    for member in [name, *partitions(name)]:
        direct += _listdir(f"/sys/class/block/{member}/holders")
    everything: list[str] = []
    for holder in direct:
        for device in [*holders(holder), holder]:
            if device not in everything:
                everything.append(device)
    return everything


def mounts_of(name: str) -> list[str]:
    """Where a disk, its partitions, what is built on them, or a file on them that is a loop device, is mounted."""
    members = [name, *partitions(name)]
    for holder in holders(name):
        members += [holder, *partitions(holder)]
    numbers = {read_text(f"/sys/class/block/{member}/dev") for member in members}
    # /proc/self/mountinfo, field 3 is major:minor; see proc(5)
    found = []
    for line in (read_text("/proc/self/mountinfo") or "").splitlines():
        fields = line.split(" ")
        source = fields[fields.index("-") + 2] if "-" in fields else ""
        if fields[2] in numbers or (source.startswith("/dev/") and os.path.basename(os.path.realpath(source)) in members):
            found.append(_unescape(fields[4]))
    for loop in _listdir("/sys/block"):
        backing = read_text(f"/sys/block/{loop}/loop/backing_file")
        if backing and loop not in members and any(_is_below(backing, point) for point in found):
            found.append(f"{backing} ({loop})")
    return found


def swaps_of(name: str) -> list[str]:
    """Paths of the swap areas on a disk."""
    members = {"/dev/" + member for member in [name, *partitions(name), *holders(name)]}
    lines = (read_text("/proc/swaps") or "").splitlines()[1:]
    return [line.split()[0] for line in lines if line and os.path.realpath(line.split()[0]) in members]


def release_disk(name: str, timeout: float = 60) -> list[str]:
    """Take apart what is built on a disk (swap, LVM and other device-mapper targets, md, bcache) so that it is free.

    :returns: what was taken apart
    :raises DiskProblem: the disk is mounted, backs the running system, or is held on to
    """
    mounted = mounts_of(name)
    if mounted:
        raise DiskProblem("/dev/{} is in use: mounted at {}. Nothing was changed on it.".format(name, ", ".join(mounted)))
    taken = []
    for swap in swaps_of(name):
        run(["swapoff", swap], timeout)
        taken.append("swap " + swap)
    for holder in holders(name):
        _stop(holder, timeout)
        taken.append(holder)
    for member in [name, *partitions(name)]:
        # a bcache cache device has no holder entry, only this
        if os.path.exists(f"/sys/class/block/{member}/bcache/set/stop"):
            _write(f"/sys/class/block/{member}/bcache/set/stop", "1")
            taken.append("bcache set of " + member)
    left = holders(name) + swaps_of(name)
    if left:
        raise DiskProblem("/dev/{} is held by {}, which could not be stopped. Nothing was erased on it.".format(name, ", ".join(left)))
    return taken


def _stop(holder: str, timeout: float) -> None:
    if holder.startswith("dm-"):
        run(["dmsetup", "remove", "--retry", read_text(f"/sys/block/{holder}/dm/name") or holder], timeout)
    elif holder.startswith("md"):
        if not run(["mdadm", "--stop", "/dev/" + holder], timeout).ok:
            _write(f"/sys/block/{holder}/md/array_state", "clear")
    elif holder.startswith("bcache"):
        _write(f"/sys/block/{holder}/bcache/stop", "1")


def _is_storage(disk: Disk) -> bool:
    return disk.size_bytes > 0 and not (disk.transport == "usb" and disk.removable)


def _transport(top: str, name: str) -> str | None:
    """How the disk is attached, read off its place in the device tree."""
    device = os.path.realpath(top)
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("mmcblk"):
        return "mmc"
    if name.startswith("sd") and "/virtio" in device:
        return "scsi"
    for mark, transport in (
        ("/usb", "usb"),
        ("/ata", "sata"),
        ("/end_device-", "sas"),
        ("/rport-", "fc"),
        ("/session", "iscsi"),
        ("/virtio", "virtio"),
        ("/virtual/", "virtual"),
    ):
        if mark in device:
            return transport
    return "scsi" if name.startswith("sd") else None


def _serial(top: str, name: str, udev: dict) -> str | None:
    """Serial number: from the driver, from SCSI page 0x80 (SPC-4, 7.8.5), else what udev asked the disk for."""
    for entry in ("/device/serial", "/serial"):
        text = _clean(read_text(top + entry))
        if text:
            return text
    page = _read_bytes(top + "/device/vpd_pg80")
    if page and len(page) > 4:
        text = _clean(page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace"))
        # an ATA disk behind the kernel's SATL answers page 0x80 with its own serial number (SAT-4, 12.4.2)
        if text:
            return text
    if udev:
        return _clean(udev.get("ID_SCSI_SERIAL") or udev.get("ID_SERIAL_SHORT"))
    return None


def _wwn(top: str, udev: dict) -> str | None:
    """World wide name as the kernel writes it: naa., eui. or uuid. and hexadecimal digits.

    The kernel's stand-ins for disks without one (t10., nvme.) are made of model and serial number, and are left out.
    """
    text = _clean(read_text(top + "/wwid") or read_text(top + "/device/wwid"))
    if text and text.startswith(("naa.", "eui.", "uuid.")):
        return text
    known = _clean(udev.get("ID_WWN")) or ""
    return "naa." + known[2:] if known.startswith("0x") else known if known.startswith("eui.") else None


def _stable_path(name: str) -> str:
    """The name below /dev/disk/by-id that says most about the disk; /dev/NAME when udev made none."""
    folder = "/dev/disk/by-id"
    names = [entry for entry in _listdir(folder) if os.path.realpath(os.path.join(folder, entry)) == "/dev/" + name]
    order = ("nvme-eui.", "wwn-", "dm-", "lvm-", "md-")  # hard to read: only when there is nothing better
    names.sort(key=lambda entry: (entry.startswith(order), entry[-2:] == "_1", entry))
    return os.path.join(folder, names[0]) if names else "/dev/" + name


def _udev_properties(top: str) -> dict:
    """What udev knows of the device, straight from its database (no udevadm call for each disk)."""
    number = read_text(top + "/dev")
    lines = (read_text(f"/run/udev/data/b{number}") or "").splitlines()
    return dict(line[2:].split("=", 1) for line in lines if line.startswith("E:") and "=" in line)


def _clean(text: str | None) -> str | None:
    cleaned = " ".join((text or "").split())
    return cleaned or None


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _unescape(text: str) -> str:
    """Octal escapes of mountinfo, such as \\040 for a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def _natural(name: str) -> tuple:
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)), len(name)


def _listdir(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _read_bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return None


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as handle:
            handle.write(text)
    except OSError:
        pass  # release_disk looks whether the device is gone, and reports it
