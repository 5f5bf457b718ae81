# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a disk can be erased: one table, strongest first.

Each row says when the method applies (probe), how it is done (run), what it is worth, and where that is written.
Categories are those of NIST SP 800-88 Rev. 1, appendix A: "clear" defeats reading by the disk's ordinary commands,
"purge" also defeats a laboratory. Where the document makes no clear statement, the lower one stands here.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import MIB, Device, aligned_buffer, ranges
from ansible_collections.metalpool.core.plugins.module_utils._disks import Disk
from ansible_collections.metalpool.core.plugins.module_utils._run import Result, run, run_json

COMMAND_PIECE = 1 << 30
WRITE_PIECE = 4 * MIB
# ATA wants a user password before it erases. It is no secret: it protects nothing, and it is the same everywhere so
# that a disk that lost power in between can be unlocked again (ATA8-ACS, 7.45: a locked disk refuses everything else).
ATA_PASSWORD = "metalpool"


class EraseProblem(Exception):
    """A method that applies and failed; the text says how."""


class Job(t.NamedTuple):
    """What a method needs to know. C(deadline) is in time.monotonic() seconds."""

    disk: Disk
    deadline: float

    def left(self) -> float:
        """Seconds left; EraseProblem when there are none."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise EraseProblem("the time limit was reached")
        return seconds


class Method(t.NamedTuple):
    """One row. C(probe) answers None when the method applies, else why not. C(zeros): the disk must read as zeros after."""

    name: str
    probe: t.Callable[[Disk], str | None]
    run: t.Callable[[Job], None]
    category: t.Callable[[Disk], str]
    zeros: bool
    source: str


def _must(result: Result) -> None:
    if not result.ok:
        raise EraseProblem(result.reason())


# NVMe ---------------------------------------------------------------------------------------------------------------


def _nvme_controller(disk: Disk) -> str:
    return "/dev/" + re.sub(r"n\d+$", "", disk.name)


def _nvme_id(disk: Disk) -> dict:
    if disk.kind != "nvme":
        return {}
    return run_json(["nvme", "id-ctrl", "-o", "json", disk.path], 30) or {}


def _probe_nvme(disk: Disk, field: str, bit: int, what: str) -> str | None:
    if disk.kind != "nvme":
        return "not an NVMe disk"
    identity = _nvme_id(disk)
    if not identity:
        return "nvme id-ctrl gave no answer (is nvme-cli installed?)"
    return None if identity.get(field, 0) & bit else f"the disk has no {what} ({field}={identity.get(field, 0)})"


def _probe_format(disk: Disk, crypto: bool) -> str | None:
    reason = _probe_nvme(disk, "oacs", 0x2, "Format NVM command")
    if reason or not crypto:
        return reason
    return _probe_nvme(disk, "fna", 0x4, "cryptographic erase by Format")


def _format(job: Job, setting: int) -> None:
    """Format NVM (NVMe Base Specification 2.0, 5.14), keeping the block size: SES 1 is user data erase, 2 cryptographic erase."""
    namespace = run_json(["nvme", "id-ns", "-o", "json", job.disk.path], 30) or {}
    flbas = namespace.get("flbas", 0)
    lba_format = (flbas & 0xF) | (flbas >> 1 & 0x30)
    seconds = int(job.left()) + 1
    options = [f"--ses={setting}", f"--lbaf={lba_format}", "--force", f"--timeout={seconds * 1000}"]
    _must(run(["nvme", "format", job.disk.path, *options], seconds + 5))


def _sanitize(job: Job, action: int) -> None:
    """Sanitize (NVMe Base Specification 2.0, 5.24) and wait: status 1 is success, 2 in progress, 3 failed."""
    controller = _nvme_controller(job.disk)
    _must(run(["nvme", "sanitize", controller, f"--sanact={action}"], 60))
    while True:
        job.left()
        status = sanitize_status(run_json(["nvme", "sanitize-log", "-o", "json", controller], 30))
        if status in (1, 4):
            return
        if status != 2:
            raise EraseProblem(f"sanitize ended with status {status}")
        time.sleep(1)


def sanitize_status(log: t.Any) -> int | None:
    """Bits 2:0 of SSTAT (NVMe Base 2.0, figure 241) from nvme-cli's JSON, of which there are several shapes.

    The log stands under the controller's name in some versions, and the status is a number or a text such as "(1) completed".
    """
    if isinstance(log, dict) and "sstat" not in log:
        log = next((entry for entry in log.values() if isinstance(entry, dict)), {})
    status = (log or {}).get("sstat")
    if isinstance(status, dict):
        status = status.get("status")
    match = re.search(r"\d+", str(status))
    return int(match.group()) & 0x7 if match else None


# ATA ----------------------------------------------------------------------------------------------------------------


def ata_security(disk: Disk) -> dict:
    """ATA security state from hdparm -I: supported, enabled, locked, frozen, enhanced; {} for other disks."""
    if disk.transport not in ("sata", "usb", "sas", "scsi") or disk.kind == "nvme":
        return {}
    text = run(["hdparm", "-I", disk.path], 30).out
    section = re.search(r"^Security:\s*\n((?:[ \t].*\n)+)", text, re.MULTILINE)
    if not section:
        return {}
    state = {}
    for word in ("supported", "enabled", "locked", "frozen"):
        match = re.search(rf"^\s*(not)?\s*{word}\s*$", section.group(1), re.MULTILINE)
        state[word] = bool(match and not match.group(1))
    state["enhanced"] = bool(re.search(r"^\s*supported: enhanced erase", section.group(1), re.MULTILINE))
    return state


def _probe_ata(disk: Disk, enhanced: bool) -> str | None:
    state = ata_security(disk)
    if not state.get("supported"):
        return "not an ATA disk with the security feature set"
    if state["frozen"]:
        return "ATA security is frozen (by the firmware; a power cycle of the disk or a suspend thaws it)"
    if enhanced and not state["enhanced"]:
        return "the disk has no enhanced erase"
    return None


def _ata_erase(job: Job, command: str) -> None:
    """SECURITY SET PASSWORD, then SECURITY ERASE PREPARE and UNIT (ATA8-ACS, 7.42 to 7.45); the erase takes the password off."""
    path = job.disk.path
    state = ata_security(job.disk)
    if state.get("locked"):
        _must(run(["hdparm", "--user-master", "u", "--security-unlock", ATA_PASSWORD, path], 60))
    elif not state.get("enabled"):
        _must(run(["hdparm", "--user-master", "u", "--security-set-pass", ATA_PASSWORD, path], 60))
    done = run(["hdparm", "--user-master", "u", command, ATA_PASSWORD, path], job.left())
    if ata_security(job.disk).get("enabled"):
        run(["hdparm", "--user-master", "u", "--security-disable", ATA_PASSWORD, path], 60)
        raise EraseProblem(f"the disk is still locked by its password after the erase: {done.reason()}")
    _must(done)


# SCSI ---------------------------------------------------------------------------------------------------------------

SANITIZE_ACTIONS = (("--crypto", 0x03), ("--block", 0x02))  # SBC-4, 5.30: service actions of SANITIZE


def _scsi_action(disk: Disk) -> str | None:
    """The strongest SANITIZE that the disk reports by REPORT SUPPORTED OPERATION CODES (SPC-4, 6.35)."""
    for option, action in SANITIZE_ACTIONS:
        answer = run(["sg_opcodes", "--opcode=0x48,%s" % action, disk.path], 30)
        if answer.ok and re.search(r"[Ss]upported.*conform|command supported", answer.out) and "not supported" not in answer.out.lower():
            return option
    return None


def _probe_scsi(disk: Disk) -> str | None:
    if disk.transport not in ("sas", "scsi", "fc") or not disk.name.startswith("sd"):
        return "not a SCSI disk"
    return None if _scsi_action(disk) else "the disk reports no SANITIZE command"


def _scsi_sanitize(job: Job) -> None:
    _must(run(["sg_sanitize", _scsi_action(job.disk) or "--crypto", "--quick", "--wait", job.disk.path], job.left()))


# any block device ---------------------------------------------------------------------------------------------------


def _probe_secure_discard(disk: Disk) -> str | None:
    # the kernel tells nobody but the caller whether it can: only MMC and a few virtual disks ever do
    return None if disk.transport in ("mmc", "virtio") else "secure discard is a command of eMMC and SD"


def _probe_any(disk: Disk) -> str | None:
    return None


def _secure_discard(job: Job) -> None:
    with Device(job.disk.path, write=True) as device:
        for offset, length in ranges(device.size, COMMAND_PIECE):
            job.left()
            device.secure_discard(offset, length)


def _zeroout(job: Job) -> None:
    with Device(job.disk.path, write=True) as device:
        for offset, length in ranges(device.size, COMMAND_PIECE):
            job.left()
            device.zeroout(offset, length)
        device.flush()


def _overwrite(job: Job) -> None:
    """Zeros really sent to the disk, one pass (SP 800-88 Rev. 1, 2.4: one pass is enough)."""
    buffer = aligned_buffer(WRITE_PIECE)
    try:
        with Device(job.disk.path, write=True) as device:
            for offset, length in ranges(device.size, WRITE_PIECE):
                job.left()
                device.write_buffer(offset, memoryview(buffer)[:length])
            device.flush()
    finally:
        buffer.close()


def _purge(disk: Disk) -> str:
    return "purge"


def _clear(disk: Disk) -> str:
    return "clear"


def _purge_if_rotating(disk: Disk) -> str:
    """Table A-5 lists the enhanced erase as purge for magnetic disks; table A-8 does not for flash."""
    return "purge" if disk.rotational else "clear"


METHODS = (
    Method(
        "nvme_sanitize_crypto",
        lambda disk: _probe_nvme(disk, "sanicap", 0x1, "crypto erase sanitize"),
        lambda job: _sanitize(job, 4),
        _purge,
        False,
        "NVMe Base 2.0, 5.24; SP 800-88 Rev. 1, table A-8; IEEE 2883",
    ),
    Method(
        "nvme_sanitize_block",
        lambda disk: _probe_nvme(disk, "sanicap", 0x2, "block erase sanitize"),
        lambda job: _sanitize(job, 2),
        _purge,
        False,
        "NVMe Base 2.0, 5.24; SP 800-88 Rev. 1, table A-8; IEEE 2883",
    ),
    Method(
        "nvme_format_crypto",
        lambda disk: _probe_format(disk, True),
        lambda job: _format(job, 2),
        _purge,
        False,
        "NVMe Base 2.0, 5.14 (SES 2); SP 800-88 Rev. 1, table A-8",
    ),
    Method(
        "nvme_format_user_data",
        lambda disk: _probe_format(disk, False),
        lambda job: _format(job, 1),
        _purge,
        False,
        "NVMe Base 2.0, 5.14 (SES 1); SP 800-88 Rev. 1, table A-8",
    ),
    Method(
        "ata_secure_erase_enhanced",
        lambda disk: _probe_ata(disk, True),
        lambda job: _ata_erase(job, "--security-erase-enhanced"),
        _purge_if_rotating,
        False,
        "ATA8-ACS, 7.43; SP 800-88 Rev. 1, tables A-5 and A-8",
    ),
    Method(
        "ata_secure_erase",
        lambda disk: _probe_ata(disk, False),
        lambda job: _ata_erase(job, "--security-erase"),
        _clear,
        False,
        "ATA8-ACS, 7.43; SP 800-88 Rev. 1, tables A-5 and A-8",
    ),
    Method("scsi_sanitize", _probe_scsi, _scsi_sanitize, _purge, False, "SBC-4, 5.30; SP 800-88 Rev. 1, tables A-5 and A-8"),
    Method("blkdiscard_secure", _probe_secure_discard, _secure_discard, _clear, False, "BLKSECDISCARD; JESD84-B51, 6.6.10"),
    Method(
        "zeroout", _probe_any, _zeroout, _clear, True, "BLKZEROOUT: WRITE ZEROES, WRITE SAME or writes; SP 800-88 Rev. 1, appendix A, clear"
    ),
    Method("overwrite", _probe_any, _overwrite, _clear, True, "one pass of zeros; SP 800-88 Rev. 1, 2.4 and appendix A, clear"),
)


def hidden_areas(disk: Disk) -> list[str]:
    """What an erase by ordinary commands does not reach or may not do: HPA, DCO, frozen security, more namespaces."""
    notes = []
    if disk.kind == "nvme":
        count = len([name for name in os.listdir("/sys/block") if re.match(re.escape(disk.name.rsplit("n", 1)[0]) + r"n\d+$", name)])
        if count > 1:
            notes.append("the controller has %s namespaces; sanitize and, by its FNA field, format may reach all of them" % count)
        return notes
    state = ata_security(disk)
    if not state:
        return notes
    if state.get("frozen"):
        notes.append("ATA security is frozen: secure erase is not possible on this boot")
    area = run(["hdparm", "-N", disk.path], 30).out
    if "HPA is enabled" in area:
        notes.append(f"host protected area: {area.strip().splitlines()[-1].strip()}")
    native = re.search(r"max sectors\s*=\s*(\d+)/(\d+)", area)
    real = re.search(r"Real max sectors:\s*(\d+)", run(["hdparm", "--dco-identify", disk.path], 30).out)
    if native and real and int(real.group(1)) > int(native.group(2)):
        notes.append("device configuration overlay hides %s sectors" % (int(real.group(1)) - int(native.group(2))))
    return notes


def still_readable(path: str) -> bool:
    """Can the disk be opened and asked for its size?"""
    try:
        with Device(path) as device:
            fcntl.fcntl(device.fd, fcntl.F_GETFL)
            return device.size > 0
    except OSError:
        return False
