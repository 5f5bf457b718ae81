# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UEFI boot entries and their order, by efibootmgr.

The node has to go on booting from the network first: what it then does is Metalpool's decision at each boot. So the
entry of the installed system comes directly after the network entry that this boot came by: iPXE's "exit" leads the
firmware straight to it, and so does a boot server that does not answer.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._run import run

OUR_LABEL = "Metalpool"
VARIABLES = "/sys/firmware/efi/efivars"
BOOT_NEXT = VARIABLES + "/BootNext-8be4df61-93ca-11d2-aa0d-00e098032b8c"
SECURE_BOOT = VARIABLES + "/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
REMOVABLE_LOADERS = {"amd64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"}  # UEFI 2.10, 3.5.1.1
LOADERS = {
    "amd64": ("shimx64.efi", "grubx64.efi", "systemd-bootx64.efi"),
    "arm64": ("shimaa64.efi", "grubaa64.efi", "systemd-bootaa64.efi"),
}


class UefiProblem(Exception):
    """The firmware refused a change; the text says what efibootmgr said."""


class Entry(t.NamedTuple):
    """One Boot#### variable. C(id) is its four hexadecimal digits."""

    id: str
    label: str
    active: bool
    path: str

    @property
    def is_network(self) -> bool:
        """Does it boot over the network? By its device path: a MAC node, or IPv4, IPv6 or URI after it (UEFI 2.10, 10.3.4)."""
        return bool(re.search(r"\bMAC\(|IPv4\(|IPv6\(|Uri\(", self.path))


class BootState(t.NamedTuple):
    """What the firmware would boot."""

    order: list
    entries: list
    current: str | None
    next: str | None

    def as_facts(self) -> dict:
        """The part "boot" of the facts document."""
        return {"order": self.order, "entries": [{"id": entry.id, "label": entry.label, "active": entry.active} for entry in self.entries]}


def is_uefi() -> bool:
    """Was this system booted by UEFI?"""
    return os.path.isdir("/sys/firmware/efi")


def open_variables() -> bool:
    """Make the firmware's variables readable: efivarfs is mounted where nobody has done it yet."""
    if not is_uefi():
        return False
    if not os.path.ismount(VARIABLES):
        run(["modprobe", "-q", "efivarfs"], 15)
        run(["mount", "-t", "efivarfs", "efivarfs", VARIABLES], 15)
    return os.path.ismount(VARIABLES)


def secure_boot() -> bool:
    """UEFI 2.10, 3.3: the variable SecureBoot is 1 while signatures are enforced. efivarfs puts 4 bytes of attributes before it."""
    if not open_variables():
        return False
    try:
        with open(SECURE_BOOT, "rb") as handle:
            return handle.read()[4:5] == b"\x01"
    except OSError:
        return False


def architecture() -> str:
    """amd64, arm64, or what the kernel says."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def read_state() -> BootState | None:
    """The boot entries now; None where there are none to read (BIOS, or efibootmgr is missing)."""
    if not open_variables():
        return None
    result = run(["efibootmgr", "-v"], 30)
    return parse(result.out) if result.ok else None


def parse(text: str) -> BootState:
    """efibootmgr -v, versions 17 and 18."""
    order: list[str] = []
    entries: list[Entry] = []
    current = following = None
    for line in text.splitlines():
        match = re.match(r"Boot([0-9A-Fa-f]{4})(\*?)\s+(.*)$", line)
        if match:
            label, _tab, path = match.group(3).partition("\t")
            entries.append(Entry(match.group(1).upper(), label.strip(), match.group(2) == "*", path.strip()))
        elif line.startswith("BootOrder:"):
            order = [word.strip().upper() for word in line.partition(":")[2].split(",") if word.strip()]
        elif line.startswith("BootCurrent:"):
            current = line.partition(":")[2].strip().upper()
        elif line.startswith("BootNext:"):
            following = line.partition(":")[2].strip().upper()
    return BootState(order, entries, current, following)


def _change(argv: list[str]) -> BootState:
    """Change the boot entries; what they are then, as efibootmgr reads them back."""
    result = run(["efibootmgr", "-v", *argv], 60)
    if not result.ok:
        raise UefiProblem("efibootmgr {}: {}".format(" ".join(argv), result.reason()))
    return parse(result.out)


def delete_entry(number: str) -> None:
    """Remove Boot#### (also from BootOrder)."""
    _change(["-b", number, "-B"])


def delete_next() -> None:
    """Remove BootNext, which efivarfs does not protect.

    Not by efibootmgr -N: version 17 refuses unless an entry 0001 exists.
    """
    try:
        os.unlink(BOOT_NEXT)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UefiProblem(f"BootNext cannot be removed: {error}") from error


def set_order(order: t.Sequence[str]) -> None:
    """Set BootOrder, and read it back."""
    state = _change(["-o", ",".join(order)])
    if state.order != list(order):
        raise UefiProblem("the firmware did not keep the boot order {}; it has {}".format(",".join(order), ",".join(state.order)))


def network_first(state: BootState, ours: str | None) -> list[str]:
    """BootOrder as Metalpool wants it: the network entry of this boot, our entry, other network entries, then the rest as it was."""
    network = [entry.id for entry in state.entries if entry.is_network and entry.active]
    known = [entry.id for entry in state.entries]
    ordered = [number for number in state.order if number in known]
    network.sort(key=lambda number: ordered.index(number) if number in ordered else len(ordered))
    first = [state.current] if state.current in network else network[:1]
    wanted = first + ([ours] if ours else []) + network + ordered
    return list(dict.fromkeys(wanted))


def find_loader(esp: str, arch: str) -> str | None:
    """The boot loader on a mounted ESP as a path for the firmware; shim before others, a distribution's before the removable one."""
    folder = _child(esp, "EFI")
    if not folder:
        return None
    vendors = [name for name in sorted(os.listdir(folder)) if name.upper() != "BOOT"]
    for loader in LOADERS.get(arch, ()):
        for vendor in vendors:
            found = _child(os.path.join(folder, vendor), loader)
            if found:
                return f"\\EFI\\{vendor}\\{os.path.basename(found)}"
    boot = _child(folder, "BOOT")
    found = _child(boot, REMOVABLE_LOADERS.get(arch, "")) if boot else None
    return f"\\EFI\\{os.path.basename(boot)}\\{os.path.basename(found)}" if boot and found else None


def _child(folder: str, name: str) -> str | None:
    """A folder's entry whatever its case, as FAT has it."""
    if not os.path.isdir(folder):
        return None
    return next((os.path.join(folder, entry) for entry in sorted(os.listdir(folder)) if entry.upper() == name.upper()), None)


def install_entry(disk: str, partition: int, loader: str) -> tuple[str, list[str]]:
    """Make our entry for a loader on a disk's ESP, drop our earlier ones, and put the network first.

    :returns: (number of the entry, the boot order)
    :raises UefiProblem: the firmware refused
    """
    before = read_state()
    if before is None:
        raise UefiProblem("efibootmgr cannot read the boot entries")
    for entry in before.entries:
        if entry.label == OUR_LABEL:
            delete_entry(entry.id)
    known = {entry.id for entry in before.entries if entry.label != OUR_LABEL}
    after = _change(["-C", "-d", disk, "-p", str(partition), "-L", OUR_LABEL, "-l", loader])
    ours = [entry.id for entry in after.entries if entry.label == OUR_LABEL and entry.id not in known]
    if not ours:
        raise UefiProblem("the firmware did not keep the new boot entry")
    order = network_first(after, ours[0])
    set_order(order)
    return ours[0], order
