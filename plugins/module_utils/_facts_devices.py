# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about disks, network interfaces and their neighbours, PCI and USB devices."""

from __future__ import annotations

import os
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.metalpool.core.plugins.module_utils._disks import Disk, list_disks
from ansible_collections.metalpool.core.plugins.module_utils._run import read_int, read_text, run, run_json
from ansible_collections.metalpool.core.plugins.module_utils._smart import smart, wear_percent

PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")


def disks() -> list[dict]:
    """All disks; their tools are asked at the same time, for a sleeping disk answers late."""
    found = list_disks()
    with ThreadPoolExecutor(max_workers=max(len(found), 1)) as pool:
        return list(pool.map(_disk, found))


def _disk(disk: Disk) -> dict:
    answer = smart(disk)
    return {
        "name": disk.name,
        "path": disk.stable_path,
        "model": disk.model or answer.get("model_name"),
        "serial": disk.serial or answer.get("serial_number"),
        "wwn": disk.wwn,
        "size_bytes": disk.size_bytes,
        "kind": disk.kind,
        "rotational": disk.rotational,
        "transport": disk.transport,
        "wear_percent": wear_percent(disk, answer),
        "logical_block_bytes": disk.logical_block_bytes,
    }


def physical_interfaces() -> list[str]:
    """Network interfaces with a device behind them (no bridge, bond, VLAN, tunnel or loopback)."""
    top = "/sys/class/net"
    names = sorted(os.listdir(top)) if os.path.isdir(top) else []
    return [name for name in names if os.path.exists(f"{top}/{name}/device") and not os.path.exists(f"{top}/{name}/wireless")]


def interfaces(neighbours: dict[str, dict]) -> list[dict]:
    """All physical interfaces.

    :param neighbours: LLDP neighbour by interface name
    """
    return [_interface(name, neighbours.get(name)) for name in physical_interfaces()]


def _interface(name: str, neighbour: dict | None) -> dict:
    top = "/sys/class/net/" + name
    return {
        "name": name,
        "mac": _permanent_mac(name) or read_text(top + "/address"),
        "driver": _driver(top + "/device"),
        "speed_mbps": _speed(name),
        "link": read_text(top + "/carrier") == "1",
        "pci_address": _pci_address(top + "/device"),
        "addresses": _addresses(name),
        "lldp": neighbour,
    }


def _addresses(name: str) -> list[str]:
    """Global addresses, without their prefix length."""
    found = run_json(["ip", "-j", "address", "show", "scope", "global", "dev", name], 15) or []
    return [one["local"] for entry in found for one in entry.get("addr_info") or () if "local" in one]


def _permanent_mac(name: str) -> str | None:
    match = re.search(r"address: ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", run(["ethtool", "-P", name], 15).out, re.IGNORECASE)
    return match.group(1).lower() if match and match.group(1) != "00:00:00:00:00:00" else None


def _speed(name: str) -> int | None:
    """Mbit/s of the link; without one, of the fastest mode that the interface supports."""
    speed = read_int(f"/sys/class/net/{name}/speed")
    if speed and speed > 0:
        return speed
    modes = re.findall(r"(\d+)base\S+/(?:Full|Half)", run(["ethtool", name], 15).out.partition("Supports auto")[0])
    return max(int(mode) for mode in modes) if modes else None


def _driver(device: str) -> str | None:
    link = device + "/driver"
    return os.path.basename(os.path.realpath(link)) if os.path.exists(link) else None


def _pci_address(device: str) -> str | None:
    """The nearest PCI device above (a virtio or USB interface hangs below one)."""
    return next((part for part in reversed(os.path.realpath(device).split("/")) if PCI_ADDRESS.match(part)), None)


def lldp_neighbours() -> dict[str, dict]:
    """What lldpd has heard so far (IEEE 802.1AB), by interface; {} when it does not run."""
    answer = run_json(["lldpcli", "-f", "json0", "show", "neighbors"], 15)
    found = {}
    for group in (answer or {}).get("lldp", []):
        for entry in group.get("interface", []):
            chassis = _first(entry.get("chassis"))
            port = _first(entry.get("port"))
            found[entry.get("name")] = {
                "chassis": _value(chassis.get("id")),
                "port": _value(port.get("id")),
                "system": _value(chassis.get("name")),
            }
    return found


def _first(entries: t.Any) -> dict:
    return entries[0] if isinstance(entries, list) and entries else {}


def _value(entries: t.Any) -> str | None:
    return _first(entries).get("value")


def pci() -> list[dict]:
    """PCI devices by /sys, with the names that lspci knows."""
    top = "/sys/bus/pci/devices"
    names = _pci_names()
    found = []
    for address in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        place = f"{top}/{address}"
        name = names.get(address, {})
        found.append(
            {
                "address": address,
                "class": (read_text(place + "/class") or "0x")[2:6] or None,
                "class_name": name.get("Class"),
                "vendor_id": _hex(place + "/vendor"),
                "device_id": _hex(place + "/device"),
                "vendor": name.get("Vendor"),
                "device": name.get("Device"),
                "driver": _driver(place),
            }
        )
    return found


def _pci_names() -> dict[str, dict[str, str]]:
    """lspci -vmm: records of "Field:<tab>Name" parted by empty lines (lspci(8), machine readable verbose output)."""
    names = {}
    for block in run(["lspci", "-vmm", "-D"], 30).out.split("\n\n"):
        fields = dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line)
        if "Slot" in fields:
            names[fields["Slot"]] = fields
    return names


def _hex(path: str) -> str | None:
    text = read_text(path)
    return text[2:] if text and text.startswith("0x") else text


def usb() -> list[dict]:
    """USB devices by /sys, without the root hubs; names as the device has them, else as lsusb knows them."""
    top = "/sys/bus/usb/devices"
    entries = sorted(os.listdir(top)) if os.path.isdir(top) else []
    devices = [entry for entry in entries if ":" not in entry and not entry.startswith("usb")]
    if not devices:
        return []
    names = dict(re.findall(r"ID ([0-9a-f]{4}:[0-9a-f]{4}) *(.*)$", run(["lsusb"], 30).out, re.MULTILINE))
    found = []
    for entry in devices:
        place = f"{top}/{entry}"
        vendor, device = read_text(place + "/idVendor"), read_text(place + "/idProduct")
        found.append(
            {
                "bus": read_int(place + "/busnum"),
                "vendor_id": vendor,
                "device_id": device,
                "product": read_text(place + "/product") or names.get(f"{vendor}:{device}") or None,
            }
        )
    return found
