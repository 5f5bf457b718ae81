"""The modules on a node as it really is: the ephemeral OS, NVMe, SATA and SCSI disks, OVMF; the disks are read from outside."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import ansible.module_utils.basic
import pytest

from .conftest import MIB, Image
from .guest import DISKS, MACS, Guest, what_is_missing

pytestmark = [pytest.mark.boot, pytest.mark.skipif(bool(what_is_missing()), reason="needs " + what_is_missing())]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx5aW5nIGluIHRoZSBkb2N1bWVudGF0aW9u me@example.org"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Guest]:
    with Guest(tmp_path_factory.mktemp("guest"), 256) as booted:
        yield booted


@pytest.fixture
def on_node(guest: Guest, collections: Path, tmp_path: Path) -> t.Callable[..., dict]:
    """Run a module on the guest by ansible-playbook, as the roles do."""

    def run(name: str, **arguments: t.Any) -> dict:
        result = tmp_path / "result.json"
        play = [
            {
                "hosts": "node",
                "gather_facts": False,
                "tasks": [
                    {"metalpool.core." + name: arguments, "register": "answer", "ignore_errors": True},
                    {
                        "ansible.builtin.copy": {"content": "{{ answer | to_json }}", "dest": str(result), "mode": "0600"},
                        "delegate_to": "localhost",
                    },
                ],
            }
        ]
        (tmp_path / "play.json").write_text(json.dumps(play))
        environment = dict(
            os.environ, ANSIBLE_COLLECTIONS_PATH=str(collections), ANSIBLE_PIPELINING="1", ANSIBLE_LOCAL_TEMP=str(tmp_path / "local")
        )
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(guest.inventory()), str(tmp_path / "play.json")],
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
        )
        assert result.exists(), done.stdout + done.stderr
        return json.loads(result.read_text())

    return run


def test_the_hardware_is_what_the_guest_was_made_of(on_node) -> None:
    answer = on_node("hardware_info")
    assert answer["problems"] == []
    facts = answer["facts"]
    assert facts["system"] == {"vendor": "Acme", "product": "Box", "serial": "SYS123", "uuid": "11111111-2222-3333-4444-555555555555"}
    assert facts["firmware"]["kind"] == "uefi" and facts["cpu"]["threads"] == 2 and facts["memory"]["bytes"] == 1536 * MIB
    disks = {disk["serial"]: disk for disk in facts["disks"]}
    # neither the USB stick nor the root file system in RAM
    assert set(disks) == set(DISKS)
    assert {serial: (disk["kind"], disk["rotational"], disk["transport"]) for serial, disk in disks.items()} == {
        "NVME0001": ("nvme", False, "nvme"),
        "SATA0001": ("hdd", True, "sata"),
        "SSD0001": ("ssd", False, "scsi"),
        "HDD0001": ("hdd", True, "scsi"),
    }
    assert all(disk["size_bytes"] == 256 * MIB for disk in disks.values())
    assert disks["SSD0001"]["wwn"] == "naa.5000c50015ea71ac" and disks["NVME0001"]["wear_percent"] == 0
    assert {(interface["mac"], interface["driver"]) for interface in facts["interfaces"]} == {(MACS[0], "virtio_net"), (MACS[1], "e1000e")}
    assert facts["boot"]["order"] and facts["usb"]


def test_python_takes_what_ansible_sends_from_the_compiled_code(guest: Guest) -> None:
    """A file of ansible-core that is in every call: Python gives its code, in a zip file without anything compiled, without compiling."""
    source = Path(ansible.module_utils.basic.__file__)
    packed = guest.folder / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(source, "basic.py")
        archive.writestr("other.py", source.read_text() + "# edited")
    guest.files["packed.zip"] = packed.read_bytes()
    look = "import zipimport as z; print(*(z.zipimporter('/tmp/packed.zip').get_code(name).co_filename for name in ('basic', 'other')))"
    known, other = guest.ssh(f"curl -sfo /tmp/packed.zip {guest.url('packed.zip')} && python3 -c {shlex.quote(look)}").split()
    assert known == "module_utils/basic.py", "the name it was compiled under when the ephemeral OS was built"
    assert other == "/tmp/packed.zip/other.py"


def test_the_health_of_real_disks(on_node) -> None:
    answer = on_node("health_test", disk_seconds=1, memory_percent=5, memory_seconds=3)
    assert answer["passed"] and len(answer["results"]) == len(DISKS) + 1
    smart = {entry["evidence"].get("serial"): entry["evidence"].get("smart_passed") for entry in answer["results"]}
    assert smart["NVME0001"] is True and smart["SATA0001"] is True


def test_a_whole_deploy_and_the_way_back(on_node, guest: Guest, image: Image) -> None:
    commissioned = on_node("hardware_info")["facts"]
    guest.files["image"] = image.compressed("raw.zst")
    # an ESP with a loader on it
    written = on_node("image_write", url=guest.url("image"), sha256=image.sha256(), disk="NVME0001", disk_bytes=len(image.raw))
    assert not written["failed"], written
    assert guest.disks["NVME0001"].read_bytes()[2 * MIB : 10 * MIB] == image.raw[2 * MIB : 10 * MIB]
    assert written["grown"]["after_bytes"] > 240 * MIB
    guest.ssh(
        "mkdir -p /tmp/esp && mount /dev/nvme0n1p2 /tmp/esp && mkdir -p /tmp/esp/EFI/debian && "
        "echo x > /tmp/esp/EFI/debian/grubx64.efi && umount /tmp/esp"
    )
    options = {"disk": "NVME0001", "instance_id": "i-1", "hostname": "build-7", "user": "holder", "ssh_keys": [KEY]}
    for unused in range(2):
        seeded = on_node("first_boot", **options)
        assert not seeded["failed"], seeded
        # the interface that has an address, and not the one without
        assert [entry["mac"] for entry in seeded["interfaces"]] == [MACS[0]]
        assert seeded["boot_entry"]["loader"] == "\\EFI\\debian\\grubx64.efi"
        assert guest.ssh("efibootmgr").count("Metalpool") == 1
    assert "nvme" not in guest.ssh("cat", "/proc/mounts")

    guest.ssh("efibootmgr -q -c -d /dev/nvme0n1 -p 2 -L Backdoor -l '\\x.efi' && efibootmgr -q -n 0000")
    back = on_node("firmware_boot", boot=commissioned["boot"], firmware=commissioned["firmware"])
    assert {finding["kind"] for finding in back["findings"]} == {"boot-entry-removed", "boot-next-removed"}
    assert "Backdoor" in back["findings"][0]["detail"]
    shown = guest.ssh("efibootmgr")
    assert "Backdoor" not in shown and "Metalpool" not in shown and "BootNext" not in shown
    assert on_node("firmware_boot", boot=commissioned["boot"])["changed"] is False


def test_every_disk_is_erased_by_its_strongest_method(on_node, guest: Guest) -> None:
    marker = b"the previous user's secret 7c1d".ljust(4096, b".")
    for file in guest.disks.values():
        with open(file, "r+b") as handle:
            for place in range(0, 256, 7):
                handle.seek(place * MIB + 4096)
                handle.write(marker)
    answer = on_node("disk_erase", full_read_bytes=0, samples=200, expected=list(DISKS))
    assert not answer["failed"] and answer["verified"], answer
    records = {record["serial"]: record for record in answer["erasures"]}
    assert {serial: (record["method"], record["category"]) for serial, record in records.items()} == {
        "NVME0001": ("nvme_format_user_data", "purge"),
        "SATA0001": ("zeroout", "clear"),
        "SSD0001": ("zeroout", "clear"),
        "HDD0001": ("zeroout", "clear"),
    }
    assert all(record["verification"]["marks"] == 66 and record["verification"]["marks_left"] == 0 for record in records.values())
    for file in guest.disks.values():
        assert file.read_bytes() == bytes(256 * MIB), file
