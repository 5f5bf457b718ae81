"""The BMC from inside the machine, over KCS: the same accounts, address and event log as from the LAN."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import LabNode, LabSite, wait_until
from .stand_in_service import StandIn

pytestmark = pytest.mark.boot

SCRIPT = "#!ipxe\nkernel /images/it/vmlinuz console=ttyS0,115200 initrd=initrd\ninitrd /images/it/initrd\nboot\n"


class Shell:
    """The shell on the machine's serial console."""

    def __init__(self, node: LabNode) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(1)
        # A Unix socket's path is short; the lab's directory need not be.
        directory = os.open(node.directory, os.O_RDONLY)
        self.line.connect(f"/proc/self/fd/{directory}/console.sock")
        os.close(directory)

    def run(self, command: str, seconds: float = 60) -> str:
        """Runs a command and returns what it printed."""
        mark = f"{time.monotonic_ns():x}"
        self.line.sendall(f"{command}; echo E''ND-{mark}\n".encode())
        seen, deadline = b"", time.monotonic() + seconds
        while f"END-{mark}".encode() not in seen:
            assert time.monotonic() < deadline, f"{command}: no end after {seconds} s: {seen!r}"
            try:
                seen += self.line.recv(65536)
            except TimeoutError:
                continue
        return seen.decode(errors="replace").replace("\r", "").partition(f"END-{mark}")[0]


@pytest.fixture
def shell(guest: LabNode) -> Iterator[Shell]:
    """The shell of the machine; QEMU takes one visitor at a time, so the line is given back."""
    shell = Shell(guest)
    yield shell
    shell.line.close()


@pytest.fixture(scope="module", params=["bios", "rom"])
def guest(request: pytest.FixtureRequest, rack: LabSite, service: StandIn, guest_files: Path) -> Iterator[LabNode]:
    """A machine that has booted a small Linux over the network, by HTTP."""
    images = rack.directory / "www/images/it"
    if not images.exists():
        shutil.copytree(guest_files, images)
    service.expect((200, SCRIPT))
    node = rack.node(request.param)
    start = len(node.console)
    node.ipmi("power", "on")
    node.saw(f"guest: ready {node.document['serial']}", seconds=240, since=start)
    yield node
    node.ipmi("power", "off")


def test_one_event_log_for_both_ways(guest: LabNode, shell: Shell) -> None:
    nonce = [f"{byte:02x}" for byte in os.urandom(12)]
    guest.ipmi("raw", "0x0a", "0x44", "0", "0", "0xe0", "0x4d", *[f"0x{byte}" for byte in nonce])
    inside = shell.run("ipmitool raw 0x0a 0x43 0 0 0xff 0xff 0 0xff | tr -d '\\n'")
    assert f"e0 4d {' '.join(nonce)}" in inside
    shell.run("ipmitool raw 0x0a 0x44 0 0 0xe1 1 2 3 4 5 6 7 8 9 10 11 12 13")
    assert "0102030405060708090a0b0c0d" in guest.ipmi("sel", "list")
    assert "Overflow         : false" in shell.run("ipmitool sel info")


def test_the_machine_finds_its_bmc_on_the_lan(guest: LabNode, shell: Shell) -> None:
    parameters = shell.run("ipmitool lan print 1")
    assert f"IP Address              : {guest.document['bmc']['address']}" in parameters
    assert f"MAC Address             : {guest.document['bmc']['mac']}" in parameters


def test_an_account_made_inside_works_on_the_lan(guest: LabNode, shell: Shell) -> None:
    shell.run("ipmitool user set name 3 metalpool; ipmitool user set password 3 In-Band-12; ipmitool user enable 3; "
              "ipmitool channel setaccess 1 3 ipmi=on link=on privilege=4")
    assert "metalpool" in shell.run("ipmitool user list 1")
    assert "is on" in guest.ipmi("power", "status", username="metalpool", password="In-Band-12")


def test_smbios_is_what_the_list_says(guest: LabNode, shell: Shell) -> None:
    identity = shell.run("cd /sys/class/dmi/id; cat product_uuid product_serial sys_vendor")
    for key in ("uuid", "serial", "vendor"):
        assert guest.document[key] in identity


def test_the_guest_meets_its_bmc_again(rack: LabSite, guest: LabNode, shell: Shell) -> None:
    pids = guest.qemu_pids
    os.kill(int((guest.directory / "bmc/ipmi_sim.pid").read_text().split()[0]), signal.SIGKILL)
    assert rack.lab().ok
    assert guest.qemu_pids == pids
    wait_until(lambda: "Device ID" in shell.run("ipmitool mc info"), 60, "an answer over KCS")


def test_a_soft_power_off_asks_the_operating_system(guest: LabNode) -> None:
    start = len(guest.console)
    guest.ipmi("power", "soft")
    wait_until(lambda: guest.power == "off", 60, "the machine is off")
    assert "Power down" in guest.console[start:]
