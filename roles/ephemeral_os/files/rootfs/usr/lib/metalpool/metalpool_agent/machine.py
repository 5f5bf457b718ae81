"""What the machine says of itself: SMBIOS, firmware, architecture."""

from __future__ import annotations

import os
import pathlib

DMI = pathlib.Path("/sys/class/dmi/id")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def dmi(name: str, directory: pathlib.Path = DMI) -> str:
    """One SMBIOS string (a file of /sys/class/dmi/id); empty when the firmware has none."""
    try:
        return (directory / name).read_text(errors="replace").strip()
    except OSError:
        return ""


def uuid() -> str:
    """The SMBIOS UUID in lower case, as iPXE and the service write it."""
    return dmi("product_uuid").lower()


def describe() -> dict[str, str]:
    """The part of an enlistment that is known without a network."""
    kernel_name = os.uname().machine
    return {
        "uuid": uuid(),
        "serial": dmi("product_serial"),
        "vendor": dmi("sys_vendor"),
        "product": dmi("product_name"),
        "arch": ARCHITECTURES.get(kernel_name, kernel_name),
        "firmware": "uefi" if os.path.isdir("/sys/firmware/efi") else "bios",
    }
