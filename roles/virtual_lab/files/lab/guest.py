"""The power of one node: QEMU started, stopped and reset.

QEMU itself holds a lock on its pid file for as long as it lives. That lock, not the pid, says whether the node is on:
it cannot be stale and cannot belong to somebody else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
from pathlib import Path

from files import wait_for
from qemu import boot_order, command
from qmp import Qmp, QmpError
from spec import Node, node_from_document

LOCK = struct.Struct("hhqqi4x")  # struct flock, see fcntl(2)


class PowerError(Exception):
    """What was asked for could not be done."""


class Guest:
    """One node's QEMU; the working directory must be the node's directory."""

    def __init__(self) -> None:
        document = json.loads(Path("node.json").read_text())
        self.node: Node = node_from_document(document["node"])
        self.accelerator: str = document["accelerator"]
        self.boot_file = Path("boot-device")

    def pid(self) -> int | None:
        """Returns QEMU's pid, None when the node is off."""
        try:
            descriptor = os.open("qemu.pid", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            question = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _whence, _start, _length, holder = LOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        finally:
            os.close(descriptor)
        return None if kind == fcntl.F_UNLCK else holder

    def boot_device(self) -> str:
        """Returns the boot device that the BMC was told, `none` when there is no override."""
        return self.boot_file.read_text().strip() if self.boot_file.exists() else "none"

    def keep_boot_device(self, device: str) -> None:
        """Writes the boot device down for the next start or reset."""
        temporary = Path("boot-device.new")
        temporary.write_text(device + "\n")
        temporary.rename(self.boot_file)

    def set_boot_device(self, device: str) -> None:
        """Takes an override. A start or reset by the BMC uses it up (IPMI 2.0, section 28.13).

        A machine that runs follows it at its own restart as well, and QEMU then keeps the order until the BMC starts or
        resets it: the firmware resets the machine again, up to three times, before it reads the order, so there is no
        safe moment to take the order back.
        """
        self.keep_boot_device(device)
        if self.pid():
            with contextlib.suppress(OSError, QmpError), Qmp(Path("monitor.sock")) as monitor:
                self.order(monitor, device)

    def order(self, monitor: Qmp, device: str) -> None:
        """Sets the order in which the firmware tries devices from the next reset on."""
        wanted = boot_order(self.node, device)
        # An index may be used once only, so all are taken back before they are given out again.
        for identifier in wanted:
            monitor.execute("qom-set", path=f"/machine/peripheral/{identifier}", property="bootindex", value=-1)
        for place, identifier in enumerate(wanted, start=1):
            monitor.execute("qom-set", path=f"/machine/peripheral/{identifier}", property="bootindex", value=place)

    def answers(self) -> bool:
        """Whether QEMU has come as far as taking orders."""
        return Path("monitor.sock").exists() and self.pid() is not None

    def on(self) -> None:
        """Starts QEMU unless it runs; returns when it runs the guest."""
        if self.pid():
            return
        for leftover in ("qemu.pid", "monitor.sock", "console.sock"):
            Path(leftover).unlink(missing_ok=True)
        line = command(self.node, self.accelerator, self.boot_device())
        with open("qemu.log", "ab") as log:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                       close_fds=True)
        started = wait_for(lambda: process.poll() is not None or self.answers(), 20)
        if not started or process.returncode is not None:
            reason = Path("qemu.log").read_text(errors="replace").strip().rpartition("\n")[2]
            process.kill()
            process.wait()
            raise PowerError(f"{self.node.name}: QEMU did not start: {reason or 'no reason given'}; see qemu.log")
        process.returncode = 0  # it is meant to go on; keeps the interpreter from warning about it
        self.keep_boot_device("none")

    def off(self) -> None:
        """Cuts the power; returns when QEMU is gone."""
        pid = self.pid()
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not wait_for(lambda: self.pid() is None, 20):
            raise PowerError(f"{self.node.name}: QEMU (process {pid}) does not end")
        Path("qemu.pid").unlink(missing_ok=True)

    def reset(self) -> None:
        """Resets the guest; the firmware follows the BMC's boot device. A QEMU that does not answer is replaced."""
        if not self.pid():
            raise PowerError(f"{self.node.name}: is off; a reset needs a machine that is on")
        try:
            with Qmp(Path("monitor.sock")) as monitor:
                self.order(monitor, self.boot_device())
                monitor.execute("system_reset")
                monitor.wait_event("RESET")
            self.keep_boot_device("none")
        except (OSError, QmpError):
            self.off()
            self.on()

    def press_power_button(self) -> None:
        """Asks the guest's operating system to shut down, by ACPI; returns at once, off or not."""
        if self.pid():
            with Qmp(Path("monitor.sock")) as monitor:
                monitor.execute("system_powerdown")
