"""The BMC's power and boot device, over the LAN, on machines that really start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .site import PASSWORD, LabNode, LabSite, wait_until
from .stand_in_service import StandIn

pytestmark = pytest.mark.boot

PYGHMI = """
import json, sys
from pyghmi.ipmi.command import Command
settings = json.load(sys.stdin)
# Credentials as bytes: with str, the second session of a process fails.
bmc = Command(settings["address"], b"admin", settings["password"].encode())
result = {}
for word in settings["do"]:
    if word == "power":
        result[word] = bmc.get_power()["powerstate"]
    elif word == "network":
        result[word] = bmc.set_bootdev("network")
    else:
        result[word] = bmc.set_power(word, wait=30)
bmc.ipmi_session.logout()
print(json.dumps(result))
"""


def pyghmi(node: LabNode, *words: str) -> dict[str, Any]:
    """Does things to a BMC with pyghmi, in a process of its own."""
    settings = {"address": node.document["bmc"]["address"], "password": PASSWORD, "do": words}
    result = subprocess.run([sys.executable, "-c", PYGHMI], input=json.dumps(settings), capture_output=True, text=True,
                            check=True, timeout=90)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def boot_sector() -> bytes:
    """A disk's first sector that says `disk!` on the first serial port and stops."""
    text = b"disk!\r\n\0"
    # xor ax,ax; mov ds,ax; mov si,TEXT; mov dx,0x3f8; next: lodsb; test al,al; jz stop; out dx,al; jmp next;
    # stop: hlt; jmp stop
    code = bytes.fromhex("31c08ed8be0000baf803ac84c07403eeebf8f4ebfd")
    at = 0x7C00 + len(code)
    code = code[:5] + at.to_bytes(2, "little") + code[7:]
    return (code + text).ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def bootable(bios: LabNode) -> LabNode:
    """The BIOS machine with a disk that can be booted."""
    disk = Path(bios.document["disks"][0]["path"])
    with disk.open("r+b") as stream:
        stream.write(boot_sector())
    return bios


def test_on_and_off_are_what_they_say(bios: LabNode) -> None:
    assert bios.power == "off"
    assert bios.qemu_pids == []
    bios.ipmi("power", "on")
    assert bios.power == "on"
    first = bios.qemu_pids
    assert len(first) == 1
    bios.ipmi("power", "on")
    assert bios.qemu_pids == first
    bios.ipmi("power", "off")
    assert bios.power == "off"
    assert bios.qemu_pids == []
    bios.ipmi("power", "off")


def test_pyghmi_switches_power_and_boot_device(bios: LabNode) -> None:
    assert pyghmi(bios, "network", "on", "power")["power"] == "on"
    assert len(bios.qemu_pids) == 1
    assert pyghmi(bios, "off", "power")["power"] == "off"
    assert bios.qemu_pids == []


def test_a_cycle_is_a_new_machine_and_a_reset_is_not(bios: LabNode) -> None:
    bios.ipmi("power", "on")
    first = bios.qemu_pids
    bios.ipmi("power", "reset")
    assert bios.qemu_pids == first
    bios.ipmi("power", "cycle")
    wait_until(lambda: bios.qemu_pids not in ([], first), 20, "another QEMU after the cycle")
    assert bios.power == "on"


def test_two_who_press_the_button_at_once_start_one_machine(bios: LabNode) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: subprocess.run([bios.document["chassis"], "set", "power", "1"], check=True), range(4)))
    assert len(bios.qemu_pids) == 1


def test_the_machine_outlives_its_bmc(lab: LabSite, bios: LabNode) -> None:
    bios.ipmi("power", "on")
    guest = bios.qemu_pids
    os.kill(int((bios.directory / "bmc/ipmi_sim.pid").read_text().split()[0]), signal.SIGKILL)
    assert lab.lab().ok
    assert bios.qemu_pids == guest
    assert bios.power == "on"
    bios.ipmi("power", "off")
    assert bios.qemu_pids == []


def test_the_machine_holds_nothing_of_its_bmc(bios: LabNode) -> None:
    """A descriptor that QEMU inherited would keep ipmi_sim's port taken when ipmi_sim is started again."""
    bios.ipmi("power", "on")
    held = [os.readlink(path) for path in Path(f"/proc/{bios.qemu_pids[0]}/fd").iterdir()]
    sockets = {word.split("[")[1].rstrip("]") for word in held if word.startswith("socket:[")}
    table = Path(f"/proc/{bios.qemu_pids[0]}/net/udp").read_text()
    assert not [line for line in table.splitlines() if line.split()[9] in sockets]


def test_the_boot_device_is_followed_once(rack: LabSite, service: StandIn, bootable: LabNode) -> None:
    service.expect((200, "#!ipxe\necho from-the-network\nsleep 3600\n"))
    bootable.ipmi("chassis", "bootdev", "disk")
    start = len(bootable.console)
    bootable.ipmi("power", "on")
    bootable.saw("disk!", since=start)
    assert service.seen == []
    # The override is used up: the next reset follows the default order, network first.
    bootable.ipmi("power", "reset")
    bootable.saw("from-the-network", since=start)
    bootable.ipmi("chassis", "bootdev", "disk")
    start = len(bootable.console)
    bootable.ipmi("power", "reset")
    bootable.saw("disk!", since=start)
    bootable.ipmi("chassis", "bootdev", "pxe")
    bootable.ipmi("power", "cycle")
    bootable.saw("from-the-network", since=start)


def test_a_restart_by_the_machine_itself_follows_the_bmc(rack: LabSite, service: StandIn, bootable: LabNode) -> None:
    """iPXE restarts the machine once the BMC has been told to boot the disk."""
    service.expect((503, ""), (200, "#!ipxe\nreboot\n"))
    start = len(bootable.console)
    bootable.ipmi("power", "on")
    wait_until(lambda: len(service.seen) == 1, 60, "the first question")
    bootable.ipmi("chassis", "bootdev", "disk")
    bootable.saw("disk!", since=start)
    assert len(service.seen) == 2


def test_a_qemu_that_hangs_can_be_reset(bios: LabNode) -> None:
    bios.ipmi("power", "on")
    stuck = bios.qemu_pids
    os.kill(stuck[0], signal.SIGSTOP)
    subprocess.run([bios.document["chassis"], "set", "reset", "1"], check=True, timeout=60)
    assert bios.qemu_pids not in ([], stuck)
