# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How makers depart from the IPMI specification, as data.

A quirk is found by the manufacturer's number (IANA private enterprise number) that Get Device ID reports, because it
is known before anything is changed. Add a line here rather than a condition in the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Boot device selectors of the boot flags (IPMI 2.0, table 28-14, parameter 5, data 2), already shifted.
BOOT_SELECTORS = {"network": 0x04, "disk": 0x08, "cdrom": 0x14, "setup": 0x18, "default": 0x00}


@dataclass(frozen=True)
class Quirks:
    """What to do differently for one maker.

    :param maker: name for messages.
    :param uefi_selectors: boot device selectors to use instead of the standard ones when UEFI is asked for.
    :param boot_timeout_parameter: whether to send boot option parameter 3, which keeps the boot flags from being
        dropped 60 seconds after they are set. A BMC that does not know it answers with an error, which is ignored;
        clear it only for a BMC that misbehaves after it.
    """

    maker: str = ""
    uefi_selectors: dict = field(default_factory=dict)
    boot_timeout_parameter: bool = True


STANDARD = Quirks()

# Two numbers of one maker are two entries. Sources: the vendors' IPMI guides and OpenStack Ironic's workarounds.
_SUPERMICRO = Quirks(
    maker="Supermicro", uefi_selectors={"disk": 0x24}
)  # 0x08 boots legacy only; 0x24 is "UEFI hard disk"

QUIRKS_BY_MANUFACTURER = {
    10876: _SUPERMICRO,
    47488: _SUPERMICRO,
    674: Quirks(maker="Dell"),
    11: Quirks(maker="Hewlett Packard Enterprise"),
    47196: Quirks(maker="Hewlett Packard Enterprise"),
    19046: Quirks(maker="Lenovo"),
    20301: Quirks(maker="IBM"),
    343: Quirks(maker="Intel"),
    2011: Quirks(maker="Huawei"),
    5771: Quirks(maker="Cisco"),
    7154: Quirks(maker="IPMI forum"),
    10368: Quirks(maker="Fujitsu"),
    15370: Quirks(maker="Giga-Byte"),
    7244: Quirks(maker="Quanta"),
}


def quirks_of(manufacturer_id: int) -> Quirks:
    """The quirks of a maker, the standard ones when it is not in the table."""
    return QUIRKS_BY_MANUFACTURER.get(manufacturer_id, STANDARD)


def boot_selector(device: str, uefi: bool, quirks: Quirks = STANDARD) -> int:
    """The shifted selector for a boot device.

    :raises ValueError: for a device that is none of ours. (pyghmi's set_bootdev returns a dictionary instead.)
    """
    if device not in BOOT_SELECTORS:
        raise ValueError(f"boot device {device!r} is unknown; use one of {', '.join(sorted(BOOT_SELECTORS))}")
    if uefi and device in quirks.uefi_selectors:
        return quirks.uefi_selectors[device]
    return BOOT_SELECTORS[device]


def boot_device_name(selector: int, quirks: Quirks = STANDARD) -> str:
    """The name of a shifted selector that a BMC reports; "other" when it has none here."""
    for names in (BOOT_SELECTORS, quirks.uefi_selectors):
        for name, value in names.items():
            if value == selector & 0x3C:
                return name
    return "other"
