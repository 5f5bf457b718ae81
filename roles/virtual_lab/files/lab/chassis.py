"""The power button of one node: the program that ipmi_sim calls for its chassis commands.

Usage, in ipmi_sim's words (a person can use it as well):

    chassis get power|boot ...
    chassis set power 0|1 | boot none|pxe|default|cdrom|bios | reset 1 | shutdown 1 | identify SECONDS FORCE
    chassis check NAME VALUE ...

It keeps all state in files of the node's directory, one caller at a time changes something, and the QEMU that it starts
survives it and the BMC.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from files import locked
from guest import Guest, PowerError
from qmp import QmpError

BOOT_DEVICES = ("none", "pxe", "default", "cdrom", "bios")


def get(guest: Guest, names: list[str]) -> None:
    """Prints `name:value` for each name."""
    for name in names:
        if name == "power":
            print(f"power:{int(guest.pid() is not None)}")
        elif name == "boot":
            print(f"boot:{guest.boot_device()}")
        else:
            raise PowerError(f"chassis get: {name!r} is unknown; ask for power or boot")


def set_parameter(guest: Guest, name: str, value: str) -> None:
    """Carries out one order, and notes it in chassis.log."""
    with open("chassis.log", "a") as log:
        log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {name} {value}\n")
    if name == "power" and value in ("0", "1"):
        if value == "1":
            guest.on()
        else:
            guest.off()
    elif name == "boot" and value in BOOT_DEVICES:
        guest.set_boot_device(value)
    elif name == "reset":
        guest.reset()
    elif name == "shutdown":
        guest.press_power_button()
    elif name != "identify":  # there is no lamp to light
        raise PowerError(f"chassis set: {name!r} {value!r} is unknown; set power 0|1, boot {'|'.join(BOOT_DEVICES)}, "
                         "reset 1, shutdown 1")


def main(arguments: list[str]) -> int:
    """Runs the program; the first argument is the node's directory. Returns the exit code."""
    directory, verb, *words = arguments
    os.chdir(directory)
    try:
        guest = Guest()
        if verb == "get":
            get(guest, words)
        elif verb == "set":
            with locked(Path("chassis.lock")):
                for name, value in zip(words[::2], words[1::2], strict=False):
                    set_parameter(guest, name, value)
        elif verb != "check":
            raise PowerError(f"chassis: {verb!r} is unknown; use get, set or check")
    except (PowerError, QmpError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
