"""Beside somebody else's DHCP server: that one gives the address, ours adds what to boot."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import LabSite, wait_until
from .stand_in_service import StandIn

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def somebody(rack: LabSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab's boot server as a proxy, and another DHCP server in the lab; gives that one's log."""
    net = rack.rack.removesuffix(".1")
    directory = tmp_path_factory.mktemp("somebody")
    subprocess.run(["ip", "-n", rack.namespace, "address", "replace", f"{net}.5/24", "dev", "lab0"], check=True)
    made = rack.boot_server(boot_server_dhcp_mode="proxy", boot_server_router_advertisements="true")
    assert made.ok, made.text
    log = directory / "log"
    with log.open("w") as stream:
        server = rack.inside("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=lab0",
                             "--bind-interfaces", f"--dhcp-range={net}.50,{net}.90,255.255.255.0,1h", "--no-ping",
                             f"--dhcp-leasefile={directory}/leases", "--log-facility=-", "--pid-file=", stderr=stream)
    yield log
    server.terminate()
    server.wait()
    assert rack.boot_server().ok


@pytest.mark.parametrize(("name", "platform"), [("bios", "pcbios"), ("uefi", "efi")])
def test_both_firmwares_boot_beside_another_dhcp_server(rack: LabSite, service: StandIn, somebody: Path, off: None,
                                                        name: str, platform: str) -> None:
    node = rack.node(name)
    mac = node.document["interfaces"][0]["mac"]
    service.expect((200, "#!ipxe\necho here-${platform}\nsleep 3600\n"))
    start, ours = len(node.console), rack.log.stat().st_size
    node.ipmi("power", "on")
    node.saw(f"here-{platform}", seconds=150, since=start)
    assert f"DHCPACK(lab0) {service.seen[0][1]['X-Real-IP']} {mac}" in somebody.read_text()
    wait_until(lambda: f"PXE({rack.interface}) {mac} proxy" in rack.log.read_text()[ours:], 5, "our part in our log")
    assert "DHCPACK" not in rack.log.read_text()[ours:]
