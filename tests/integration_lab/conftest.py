"""One lab with one boot server for all tests here; both are gone afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import REPOSITORY, LabNode, LabSite
from .stand_in_service import StandIn

TOOLS = ("qemu-system-x86_64", "ipmi_sim", "ipmitool", "dnsmasq", "ip")


@pytest.fixture(scope="session", autouse=True)
def able() -> None:
    """These tests make namespaces and guests."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(missing or TOOLS)}")
    subprocess.run(["bash", str(REPOSITORY / "tests/link_collection.sh")], check=True)


@pytest.fixture(scope="session")
def slot(able: None) -> Iterator[int]:
    """A number that no other run of these tests has at this time: names and networks follow from it."""
    for number in range(5):
        with open(f"/run/lock/metalpool-integration-lab-{number}", "w") as holder:
            try:
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    pytest.fail("five runs of these tests are on this host already")


@pytest.fixture(scope="session")
def lab(slot: int) -> Iterator[LabSite]:
    """The lab: three machines, off. What an interrupted run left is taken away first."""
    # Not below pytest's own directory: nginx and dnsmasq run as users who may not look into that.
    site = LabSite(Path(f"/var/lib/metalpool-integration-lab-{slot}"), f"mpit{slot}", 201 + 2 * slot)
    site.boot_server(boot_server_state="absent")
    site.lab(virtual_lab_state="absent")
    try:
        made = site.lab()
        assert made.ok, made.text
        yield site
    finally:
        removed = site.lab(virtual_lab_state="absent")
        shutil.rmtree(site.directory, ignore_errors=True)
    assert removed.ok, removed.text


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """What stands behind /boot/."""
    stand_in = StandIn(tmp_path_factory.mktemp("service"))
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="session")
def rack(lab: LabSite, service: StandIn) -> Iterator[LabSite]:
    """The lab with a boot server that gives out addresses."""
    lab.boot_variables |= {"boot_server_service_url": service.url, "boot_server_ca_file": str(service.ca_file)}
    try:
        made = lab.boot_server()
        assert made.ok, made.text
        yield lab
    finally:
        removed = lab.boot_server(boot_server_state="absent")
    assert removed.ok, removed.text


@pytest.fixture
def off(lab: LabSite) -> Iterator[None]:
    """Every machine is off before and after the test, so that only one runs at a time."""
    yield
    for name in lab.nodes:
        subprocess.run([lab.nodes[name]["chassis"], "set", "power", "0"], check=True)


@pytest.fixture
def bios(lab: LabSite, off: None) -> LabNode:
    """The machine with SeaBIOS; its network card has iPXE for a ROM."""
    return lab.node("bios")


@pytest.fixture
def uefi(lab: LabSite, off: None) -> LabNode:
    """The machine with OVMF that boots by the firmware's own PXE and HTTP clients."""
    return lab.node("uefi")


@pytest.fixture
def rom(lab: LabSite, off: None) -> LabNode:
    """The machine with OVMF whose network card has iPXE for a ROM."""
    return lab.node("rom")


@pytest.fixture(scope="session")
def guest_files(able: None) -> Path:
    """A kernel and an initrd that offers a shell with ipmitool on the serial console; kept from run to run."""
    recipe = Path(__file__).with_name("build_guest.sh")
    digest = subprocess.run(["sha256sum", str(recipe)], capture_output=True, text=True, check=True).stdout[:16]
    target = Path("/var/cache/metalpool/integration_lab", digest)
    subprocess.run(["sh", str(recipe), str(target)], check=True)
    return target
