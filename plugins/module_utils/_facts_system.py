# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the machine as a whole: identity, firmware, processors, memory, TPM, BMC."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, read_text, run
from ansible_collections.metalpool.core.plugins.module_utils._uefi import architecture, is_uefi, secure_boot

DMI = "/sys/class/dmi/id/"
UNITS = {"kB": 1 << 10, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
EMPTY = (
    "",
    "not specified",
    "not available",
    "none",
    "unknown",
    "to be filled by o.e.m.",
    "0123456789",
    "default string",
    "no dimm",
    "n/a",
)


def said(text: str | None) -> str | None:
    """A field of SMBIOS, or None where the maker left it empty or left the template's words in it."""
    text = (text or "").strip()
    return None if text.lower() in EMPTY else text


def dmi_records(kind: int) -> list[dict[str, str]]:
    """All SMBIOS structures of one type (DSP0134), as dmidecode prints them."""
    records = []
    for block in run(["dmidecode", "-q", "-t", str(kind)], 30).out.split("\n\n"):
        fields = dict(re.findall(r"^\t([^\t:][^:]*): *(.*)$", block, re.MULTILINE))
        if fields:
            records.append(fields)
    return records


def system() -> dict:
    uuid = said(read_text(DMI + "product_uuid"))
    return {
        "vendor": said(read_text(DMI + "sys_vendor")),
        "product": said(read_text(DMI + "product_name")),
        "serial": said(read_text(DMI + "product_serial")),
        "uuid": uuid.lower() if uuid else None,
    }


def firmware() -> dict:
    return {
        "kind": "uefi" if is_uefi() else "bios",
        "vendor": said(read_text(DMI + "bios_vendor")),
        "version": said(read_text(DMI + "bios_version")),
        "date": said(read_text(DMI + "bios_date")),
        "secure_boot": secure_boot(),
    }


def cpu() -> dict:
    info = read_text("/proc/cpuinfo") or ""
    online = parse_list(read_text("/sys/devices/system/cpu/online")) or list(range(os.cpu_count() or 1))
    packages, cores = set(), set()
    for number in online:
        top = "/sys/devices/system/cpu/cpu%s/topology/" % number
        package = read_text(top + "physical_package_id", "0")
        packages.add(package)
        cores.add((package, read_text(top + "die_id", "0"), read_text(top + "cluster_id", "0"), read_text(top + "core_id", str(number))))
    records = dmi_records(4)
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return {
        "arch": architecture(),
        "model": " ".join(model.group(1).split()) if model else said(records[0].get("Version")) if records else None,
        "sockets": len(packages),
        "cores": len(cores),
        "threads": len(online),
        "mhz_max": _mhz(info, records),
    }


def _mhz(info: str, records: list[dict]) -> int | None:
    kilohertz = read_int("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    if kilohertz:
        return kilohertz // 1000
    speeds = [int(match.group(1)) for record in records for match in [re.match(r"(\d+) MHz", record.get("Max Speed", ""))] if match]
    measured = re.search(r"^cpu MHz\s*:\s*([\d.]+)", info, re.MULTILINE)
    return max(speeds) if speeds else int(float(measured.group(1))) if measured else None


def parse_list(text: str | None) -> list[int]:
    """The kernel's list format: 0-3,8 is 0 1 2 3 8."""
    numbers: list[int] = []
    for part in (text or "").split(","):
        first, _dash, last = part.partition("-")
        if first.strip().isdigit():
            numbers += range(int(first), int(last or first) + 1)
    return numbers


def numa() -> list[dict]:
    top = "/sys/devices/system/node"
    found = []
    for name in sorted(os.listdir(top) if os.path.isdir(top) else [], key=lambda entry: (len(entry), entry)):
        if re.match(r"node\d+$", name):
            size = re.search(r"MemTotal:\s+(\d+) kB", read_text(f"{top}/{name}/meminfo") or "")
            found.append(
                {
                    "node": int(name[4:]),
                    "cpus": parse_list(read_text(f"{top}/{name}/cpulist")),
                    "memory_bytes": int(size.group(1)) * 1024 if size else None,
                }
            )
    return found


def memory() -> dict:
    usable = re.search(r"^MemTotal:\s+(\d+) kB", read_text("/proc/meminfo") or "", re.MULTILINE)
    usable_bytes = int(usable.group(1)) * 1024 if usable else None
    modules = []
    for record in dmi_records(17):
        size = parse_size(record.get("Size"))
        if size:
            modules.append(
                {
                    "locator": said(record.get("Locator")),
                    "bytes": size,
                    "kind": said(record.get("Type")),
                    "speed_mts": _speed(record),
                    "serial": said(record.get("Serial Number")),
                    "manufacturer": said(record.get("Manufacturer")),
                }
            )
    return {"bytes": sum(module["bytes"] for module in modules) or usable_bytes, "usable_bytes": usable_bytes, "modules": modules}


def parse_size(text: str | None) -> int | None:
    """Size as dmidecode writes it, such as C(16 GB), which is binary."""
    match = re.match(r"(\d+) (kB|KB|MB|GB|TB)$", (text or "").strip())
    return int(match.group(1)) * UNITS[match.group(2)] if match else None


def _speed(record: dict) -> int | None:
    for field in ("Configured Memory Speed", "Configured Clock Speed", "Speed"):
        match = re.match(r"(\d+) (MT/s|MHz)", record.get(field, ""))
        if match:
            return int(match.group(1))
    return None


def tpm() -> dict:
    major = read_text("/sys/class/tpm/tpm0/tpm_version_major")
    return {"present": os.path.exists("/sys/class/tpm/tpm0"), "version": {"1": "1.2", "2": "2.0"}.get(major or "")}


def bmc() -> dict | None:
    """The BMC as the node sees it over KCS (IPMI 2.0, 20.1 Get Device ID, 23.2 Get LAN Configuration); None without one."""
    if not any(os.path.exists(path) for path in ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")):
        return None
    device = run(["ipmitool", "-I", "open", "mc", "info"], 30)
    if not device.ok:
        return None
    lan = run(["ipmitool", "-I", "open", "lan", "print"], 30).out
    address = _field(lan, "IP Address")
    return {
        "address": None if address == "0.0.0.0" else address,
        "mac": _field(lan, "MAC Address"),
        "firmware": _field(device.out, "Firmware Revision"),
        "ipmi_version": _field(device.out, "IPMI Version"),
        "manufacturer_id": _number(_field(device.out, "Manufacturer ID")),
    }


def _field(text: str, name: str) -> str | None:
    match = re.search(rf"^{re.escape(name)}\s*: *(\S.*?)\s*$", text, re.MULTILINE)
    return match.group(1) if match else None


def _number(text: str | None) -> t.Any:
    match = re.match(r"\d+", text or "")
    return int(match.group()) if match else None
