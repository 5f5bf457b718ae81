"""Finds out whether KVM really runs guests here.

`/dev/kvm` may exist and yet hang every ordinary guest (a nested, paravirtual host). So a guest is booted: its boot
sector does nothing but write to QEMU's debug-exit port, which ends QEMU with a known exit code. SeaBIOS must have run
to get there, in real and in protected mode.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from files import write_if_changed

# mov dx, 0xf4; mov al, 0x10; out dx, al; hlt; jmp back to hlt
BOOT_SECTOR = bytes.fromhex("baf400b010eef4ebfd").ljust(510, b"\0") + b"\x55\xaa"
EXIT_CODE = (0x10 << 1) | 1
DEADLINE_SECONDS = 10


def boots(accelerator: str, directory: Path) -> bool:
    """Whether a guest under this accelerator reaches its boot sector within `DEADLINE_SECONDS`."""
    image = directory / "probe.raw"
    image.write_bytes(BOOT_SECTOR.ljust(65536, b"\0"))
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
               "-accel", accelerator, "-m", "32", "-drive", f"file={image},format=raw,if=ide",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=DEADLINE_SECONDS).returncode == EXIT_CODE
    except subprocess.TimeoutExpired:
        return False
    finally:
        image.unlink()


def choose(directory: Path, wanted: str = "auto", check: bool = False) -> tuple[str, bool]:
    """Returns the accelerator, `kvm` or `tcg`, and whether it had to be found out.

    What was found is kept in `accelerator.json` until the host boots again.

    Args:
        directory: the lab's directory.
        wanted: `kvm` or `tcg` to skip the probe, `auto` for the probe.
        check: do not boot anything; say `tcg` when nothing is known.
    """
    if wanted != "auto":
        return wanted, False
    cache = directory / "accelerator.json"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if cache.exists():
        known = json.loads(cache.read_text())
        if known["boot_id"] == boot_id:
            return known["accelerator"], False
    if check:
        return "tcg", True
    accelerator = "kvm" if Path("/dev/kvm").exists() and boots("kvm", directory) else "tcg"
    write_if_changed(cache, json.dumps({"accelerator": accelerator, "boot_id": boot_id}) + "\n")
    return accelerator, True
