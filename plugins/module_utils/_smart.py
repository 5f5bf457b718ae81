# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk says of its own health: worn how far, and does it expect to fail."""

from __future__ import annotations

from ansible_collections.metalpool.core.plugins.module_utils._disks import Disk
from ansible_collections.metalpool.core.plugins.module_utils._run import run_json

# Attributes of ATA SSDs whose normalised value counts the life that is left down from 100 (smartmontools' drivedb.h)
LIFE_LEFT = (231, 233, 202, 177, 169)


def smart(disk: Disk) -> dict:
    """smartctl's JSON for a disk; {} when it is missing or the disk has no SMART."""
    answer = run_json(["smartctl", "-j", "-H", "-A", "-i", disk.path], 60)
    return answer if isinstance(answer, dict) else {}


def wear_percent(disk: Disk, answer: dict) -> int | None:
    """Percent of its rated life that a flash disk has used; may be more than 100; None when it does not say."""
    used = answer.get("endurance_used", {}).get("current_percent")
    if used is None:
        used = answer.get("nvme_smart_health_information_log", {}).get("percentage_used")
    if used is None:
        used = answer.get("scsi_percentage_used_endurance_indicator")
    if used is None and disk.kind == "nvme":
        log = run_json(["nvme", "smart-log", "-o", "json", disk.path], 30) or {}
        used = log.get("percent_used", log.get("percentage_used"))
    if used is None and not disk.rotational:
        values = {entry.get("id"): entry.get("value") for entry in answer.get("ata_smart_attributes", {}).get("table", [])}
        left = next((values[number] for number in LIFE_LEFT if values.get(number) is not None), None)
        used = max(100 - left, 0) if left is not None and left <= 100 else None
    return used


def problems(disk: Disk, answer: dict) -> list[str]:
    """Why this disk should not be given to anybody, by its own words; empty when it is well or says nothing."""
    found = []
    if answer.get("smart_status", {}).get("passed") is False:
        found.append("SMART: the disk expects to fail")
    warning = answer.get("nvme_smart_health_information_log", {}).get("critical_warning")
    if warning is None and disk.kind == "nvme":
        log = run_json(["nvme", "smart-log", "-o", "json", disk.path], 30) or {}
        warning = log.get("critical_warning")
        warning = warning.get("value") if isinstance(warning, dict) else warning
    if warning:
        # NVMe Base 2.0, figure 207: spare low, temperature, reliability, read-only, backup
        names = [
            name
            for bit, name in enumerate(("spare is low", "temperature", "reliability is degraded", "read-only", "memory backup failed"))
            if int(warning) & 1 << bit
        ]
        found.append("NVMe critical warning: %s" % (", ".join(names) or warning))
    for entry in answer.get("ata_smart_attributes", {}).get("table", []):
        if entry.get("when_failed") == "now":
            found.append("SMART: {} is below its threshold".format(entry.get("name")))
    return found
