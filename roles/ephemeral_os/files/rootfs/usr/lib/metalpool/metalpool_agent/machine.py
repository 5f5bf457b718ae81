"""What the machine says of itself: SMBIOS, firmware, architecture."""

from __future__ import annotations

import os

from metalpool_agent.files import read

DMI = "/sys/class/dmi/id"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def uuid() -> str:
    """The SMBIOS UUID in lower case, as iPXE and the service write it."""
    return read(f"{DMI}/product_uuid").lower()


def describe() -> dict[str, str]:
    """The part of an enlistment that is known without a network."""
    kernel_name = os.uname().machine
    return {
        "uuid": uuid(),
        "serial": read(f"{DMI}/product_serial"),
        "vendor": read(f"{DMI}/sys_vendor"),
        "product": read(f"{DMI}/product_name"),
        "arch": ARCHITECTURES.get(kernel_name, kernel_name),
        "firmware": "uefi" if os.path.isdir("/sys/firmware/efi") else "bios",
    }
