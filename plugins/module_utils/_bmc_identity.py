# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a BMC is: Get Device ID, Get System GUID, and its LAN channel (IPMI 2.0, sections 20, 22 and 23)."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass

from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcCommandError, BmcUnsupported

ADDRESS_SOURCES = {0: "unspecified", 1: "static", 2: "dhcp", 3: "bios", 4: "other"}
LAN_MEDIUM = 0x04


@dataclass(frozen=True)
class Identity:
    """What Get Device ID says (section 20.1)."""

    device_id: int
    firmware: str
    ipmi_version: str
    manufacturer_id: int
    product_id: int

    def as_dict(self) -> dict:
        return asdict(self)


def read_identity(bmc) -> Identity:
    data = bmc.raw(0x06, 0x01, what="say what it is (Get Device ID)")
    if len(data) < 11:
        raise BmcUnsupported(
            f"the BMC answered Get Device ID with {len(data)} bytes, at least 11 are needed; update its firmware"
        )
    return Identity(
        device_id=data[0],
        # The minor revision is binary coded decimal; with makers that do not keep to it, other tools show the same.
        firmware=f"{data[2] & 0x7F}.{data[3]:02x}",
        ipmi_version=f"{data[4] & 0x0F}.{data[4] >> 4}",
        manufacturer_id=int.from_bytes(data[6:9], "little") & 0x0FFFFF,
        product_id=int.from_bytes(data[9:11], "little"),
    )


def read_guid(bmc) -> str | None:
    """The system's GUID in SMBIOS notation (section 22.14), None when the BMC has none."""
    try:
        data = bmc.raw(0x06, 0x37, what="say the system's GUID")
    except BmcCommandError:
        return None
    if len(data) < 16 or not any(data[:16]):
        return None
    return str(uuid.UUID(bytes_le=bytes(data[:16])))


def lan_channels(bmc) -> list:
    """Numbers of the channels whose medium is 802.3 LAN (Get Channel Info, section 22.24)."""
    found = []
    for channel in range(1, 12):
        try:
            data = bmc.raw(0x06, 0x42, bytes([channel]), what=f"describe channel {channel}")
        except BmcCommandError:
            continue  # no such channel
        if len(data) > 1 and data[1] & 0x7F == LAN_MEDIUM:
            found.append(channel)
    return found


def _lan_parameter(bmc, channel: int, parameter: int, length: int) -> bytes | None:
    """One LAN configuration parameter (section 23.2), None when the BMC does not have it."""
    try:
        data = bmc.raw(
            0x0C, 0x02, bytes([channel, parameter, 0, 0]), what=f"read LAN parameter {parameter} of channel {channel}"
        )
    except BmcCommandError:
        return None
    return data[1 : 1 + length] if len(data) >= 1 + length else None


def read_lan(bmc, channel: int) -> dict:
    """Address and MAC of a LAN channel; None for what the BMC does not tell."""
    address = _lan_parameter(bmc, channel, 3, 4)
    source = _lan_parameter(bmc, channel, 4, 1)
    mac = _lan_parameter(bmc, channel, 5, 6)
    netmask = _lan_parameter(bmc, channel, 6, 4)
    gateway = _lan_parameter(bmc, channel, 12, 4)

    def dotted(value: bytes | None) -> str | None:
        return ".".join(str(byte) for byte in value) if value and any(value) else None

    return {
        "channel": channel,
        "address": dotted(address),
        "source": ADDRESS_SOURCES.get(source[0] & 0x0F, "other") if source else None,
        "mac": ":".join(f"{byte:02x}" for byte in mac) if mac and any(mac) else None,
        "netmask": dotted(netmask),
        "gateway": dotted(gateway),
    }
