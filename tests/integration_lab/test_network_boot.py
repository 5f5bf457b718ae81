"""Machines that are switched on by their BMC and come, by their own firmware, as far as the service's script."""

from __future__ import annotations

import urllib.parse

import pytest

from .site import LabNode, LabSite, wait_until
from .stand_in_service import StandIn

pytestmark = pytest.mark.boot

STAY = "#!ipxe\necho here-${platform}\nsleep 3600\n"


def power_on(node: LabNode) -> int:
    """Switches the machine on; returns where its console stands, to look only at what comes after."""
    start = len(node.console)
    node.ipmi("power", "on")
    return start


def asked(service: StandIn) -> dict[str, str]:
    """Returns the parameters of the first question for a script."""
    url = urllib.parse.urlsplit(service.seen[0][0])
    assert url.path == "/boot/ipxe"
    return dict(urllib.parse.parse_qsl(url.query))


@pytest.mark.parametrize(("name", "platform", "by_tftp"), [
    ("bios", "pcbios", False), ("uefi", "efi", True), ("rom", "efi", False)])
def test_the_service_learns_who_boots(rack: LabSite, service: StandIn, off: None, name: str, platform: str,
                                      by_tftp: bool) -> None:
    node = rack.node(name)
    service.expect((200, STAY))
    log = rack.log.stat().st_size
    start = power_on(node)
    node.saw(f"here-{platform}", since=start)
    assert asked(service) == {"mac": node.document["interfaces"][0]["mac"], "uuid": node.document["uuid"],
                              "serial": node.document["serial"], "platform": platform,
                              "buildarch": "x86_64" if platform == "efi" else "i386"}
    assert service.seen[0][1]["X-Real-IP"].startswith(rack.rack.removesuffix("1"))
    assert ("ipxe.efi to" in rack.log.read_text()[log:]) is by_tftp


def test_bios_pxe_comes_through_undionly(rack: LabSite, service: StandIn, bios: LabNode) -> None:
    """QEMU's boot ROM is an iPXE already, so the script sends it back to what a plain PXE ROM would have got."""
    service.expect((200, "#!ipxe\nchain tftp://${next-server}/undionly.kpxe\n"), (200, STAY))
    log = rack.log.stat().st_size
    start = power_on(bios)
    bios.saw("here-pcbios", since=start)
    assert "undionly.kpxe to" in rack.log.read_text()[log:]
    assert "UNDI" in bios.console[start:]
    assert len(service.seen) == 2


def test_uefi_that_shall_boot_its_disk_goes_on_to_it(rack: LabSite, service: StandIn, uefi: LabNode) -> None:
    """After PXE, OVMF tries HTTP boot (the same answer), then the disk, which is empty here."""
    service.expect((200, "#!ipxe\nexit\n"))
    requests = len(rack.requests())
    start = power_on(uefi)
    uefi.saw('failed to load Boot0001 "UEFI QEMU NVMe', seconds=150, since=start)
    assert len(service.seen) == 2
    by_http = [line for line in rack.requests()[requests:] if "GET /ipxe/ipxe.efi 200" in line]
    assert len(by_http) == 1


def test_bios_that_shall_boot_its_disk_goes_on_to_it(rack: LabSite, service: StandIn, bios: LabNode) -> None:
    service.expect((200, "#!ipxe\nexit\n"))
    start = power_on(bios)
    bios.saw("Booting from Hard Disk", since=start)


def test_a_service_that_is_away_is_asked_until_it_is_back(rack: LabSite, service: StandIn, bios: LabNode) -> None:
    service.expect((503, ""), (503, ""), (200, STAY))
    start = power_on(bios)
    wait_until(lambda: len(service.seen) == 3, 60, "three questions")
    bios.saw("here-pcbios", since=start)
    assert bios.console[start:].count("no usable answer, trying again") == 2
