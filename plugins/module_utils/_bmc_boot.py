# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot device override (Set and Get System Boot Options, IPMI 2.0, sections 28.12 to 28.14)."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    UNSUPPORTED_CODES,
    BmcCommandError,
    BmcUnconfirmed,
    BmcUnsupported,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_quirks import Quirks, boot_device_name, boot_selector

VALID, PERSISTENT, UEFI = 0x80, 0x40, 0x20
BOOT_FLAGS, VALID_BIT_CLEARING = 5, 3
KEEP_FLAGS_ON_TIMEOUT = 0x08


@dataclass(frozen=True)
class BootOverride:
    """The boot flags as the BMC reports them.

    :param flags: first byte: valid, persistent, UEFI.
    :param selector: device bits of the second byte, shifted.
    """

    flags: int
    selector: int

    @property
    def valid(self) -> bool:
        return bool(self.flags & VALID)

    def as_dict(self, quirks: Quirks) -> dict:
        """What the next boot will do; without the valid bit the flags mean nothing, by the specification."""
        return {
            "device": boot_device_name(self.selector, quirks) if self.valid else "default",
            "persistent": bool(self.flags & PERSISTENT) if self.valid else False,
            "uefi": bool(self.flags & UEFI) if self.valid else False,
        }

    def as_reported(self, quirks: Quirks) -> dict:
        """The bits themselves: some BMCs keep the device and forget the flags."""
        return {
            "device": boot_device_name(self.selector, quirks),
            "valid": self.valid,
            "persistent": bool(self.flags & PERSISTENT),
            "uefi": bool(self.flags & UEFI),
        }


def wanted_override(device: str, persistent: bool, uefi: bool, quirks: Quirks) -> BootOverride:
    """The flags to send; ``default`` clears them all."""
    if device == "default":
        return BootOverride(0, 0)
    return BootOverride(
        VALID | (PERSISTENT if persistent else 0) | (UEFI if uefi else 0), boot_selector(device, uefi, quirks)
    )


def read_boot_override(bmc) -> BootOverride | None:
    """The boot flags; None when this BMC cannot report them."""
    try:
        data = bmc.raw(0x00, 0x09, bytes([BOOT_FLAGS, 0, 0]), what="report the boot device")
    except BmcCommandError as error:
        if error.code in UNSUPPORTED_CODES or error.code == 0x80:
            return None
        raise
    if len(data) < 4 or data[1] & 0x80:  # the parameter is marked invalid
        return None
    return BootOverride(data[2] & (VALID | PERSISTENT | UEFI), data[3] & 0x3C)


def write_boot_override(bmc, wanted: BootOverride, quirks: Quirks) -> bool:
    """Set the boot flags; returns whether the BMC also agreed to keep them beyond 60 seconds.

    :raises BmcUnsupported: when the BMC has no boot flags, or not this device.
    """
    kept = False
    if quirks.boot_timeout_parameter:
        try:
            bmc.raw(0x00, 0x08, bytes([VALID_BIT_CLEARING, KEEP_FLAGS_ON_TIMEOUT]), what="keep the boot flags")
            kept = True
        except BmcCommandError:
            kept = False  # an optional parameter: without it the machine must be started within 60 s
    try:
        bmc.raw(0x00, 0x08, bytes([BOOT_FLAGS, wanted.flags, wanted.selector, 0, 0, 0]), what="set the boot device")
    except BmcCommandError as error:
        if error.code in UNSUPPORTED_CODES or error.code == 0x80:
            raise BmcUnsupported(
                f"{error}. This BMC cannot set that boot device over IPMI; "
                "set the boot order in the firmware so that the network comes first"
            ) from error
        raise
    return kept


def confirm(wanted: BootOverride, found: BootOverride | None, quirks: Quirks) -> tuple:
    """Compare what was asked for with what the BMC reports; returns the confirmed properties and warnings.

    :raises BmcUnconfirmed: when the BMC reports another device.
    """
    if found is None:
        return {"device": False, "persistent": False, "uefi": False}, []
    if found.selector != wanted.selector:
        raise BmcUnconfirmed(
            f"the BMC was told to boot from {boot_device_name(wanted.selector, quirks)} but reports "
            f"{boot_device_name(found.selector, quirks)}; set the boot order in the firmware instead"
        )
    if wanted.valid and not found.valid:  # it keeps the device and forgets the flags: they are unknown, not refused
        return {"device": True, "persistent": False, "uefi": False}, []
    verified, warnings = {"device": True}, []
    shown, asked = found.as_dict(quirks), wanted.as_dict(quirks)
    for name in ("persistent", "uefi"):
        verified[name] = shown[name] == asked[name]
        if not verified[name]:
            warnings.append(
                f"the BMC was asked for {name}={str(asked[name]).lower()} but reports {str(shown[name]).lower()}"
            )
    return verified, warnings


def override_boot(bmc, wanted: BootOverride, quirks: Quirks) -> tuple:
    """Set the boot flags and read them back.

    :returns: the flags that the BMC reports, whether it keeps them beyond 60 seconds, the confirmed properties, warnings
    :raises BmcUnsupported: see write_boot_override
    :raises BmcUnconfirmed: see confirm
    """
    kept = write_boot_override(bmc, wanted, quirks)
    found = read_boot_override(bmc)
    verified, warnings = confirm(wanted, found, quirks)
    return found, kept, verified, warnings
