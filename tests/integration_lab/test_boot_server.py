"""The boot server without a guest: what it answers whom, what it hands on, when it restarts."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .site import LabSite
from .stand_in_service import StandIn, make_certificate


def offer(rack: LabSite, architecture: int, vendor_class: str, *user_class: str) -> dict[str, str]:
    """Returns what DHCP offers a machine of this kind."""
    program = Path(__file__).with_name("dhcp_client.py")
    result = subprocess.run(
        ["ip", "netns", "exec", rack.namespace, sys.executable, str(program), "lab0", str(architecture), vendor_class,
         *user_class], capture_output=True, text=True, check=True, timeout=30)
    answer: dict[str, str] = json.loads(result.stdout)
    return answer


def get(url: str, **headers: str) -> tuple[int, str]:
    """Returns status and body of a request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


@pytest.fixture
def address(rack: LabSite) -> str:
    """An address of the lab's namespace in the nodes' network, for a DHCP client that has none."""
    address = rack.rack.removesuffix("1") + "5"
    subprocess.run(["ip", "-n", rack.namespace, "address", "replace", f"{address}/24", "dev", "lab0"], check=True)
    return address


@pytest.mark.parametrize(("architecture", "vendor_class", "file"), [
    (0, "PXEClient:Arch:00000:UNDI:002001", "undionly.kpxe"),
    (7, "PXEClient:Arch:00007:UNDI:003000", "ipxe.efi"),
    (9, "PXEClient:Arch:00009:UNDI:003000", "ipxe.efi"),
    (16, "HTTPClient:Arch:00016:UNDI:003000", "http://RACK/ipxe/ipxe.efi"),
])
def test_each_firmware_gets_its_first_stage(rack: LabSite, address: str, architecture: int, vendor_class: str,
                                            file: str) -> None:
    answer = offer(rack, architecture, vendor_class)
    assert answer["file"] == file.replace("RACK", rack.rack)
    assert answer["next_server"] == rack.rack
    if architecture == 16:
        assert answer["vendor_class"] == "HTTPClient"


@pytest.mark.parametrize("architecture", [0, 7])
def test_ipxe_gets_the_script_whatever_it_runs_on(rack: LabSite, address: str, architecture: int) -> None:
    answer = offer(rack, architecture, f"PXEClient:Arch:{architecture:05}:UNDI:003010", "iPXE")
    assert answer["file"] == f"http://{rack.rack}/ipxe/boot.ipxe"


def test_the_first_stages_are_served(rack: LabSite, tmp_path: Path) -> None:
    for name in ("undionly.kpxe", "ipxe.efi"):
        expected = Path("/usr/lib/ipxe", name).read_bytes()
        subprocess.run(["curl", "-sSf", "-o", str(tmp_path / name), f"http://{rack.rack}/ipxe/{name}"], check=True)
        assert (tmp_path / name).read_bytes() == expected


def test_the_script_names_the_machine_and_never_gives_up(rack: LabSite) -> None:
    status, script = get(f"http://{rack.rack}/ipxe/boot.ipxe")
    assert status == 200
    assert script.startswith("#!ipxe\n")
    assert (f"http://{rack.rack}/boot/ipxe?mac=${{netX/mac}}&uuid=${{uuid}}&serial=${{serial:uristring}}"
            "&platform=${platform}&buildarch=${buildarch}") in script
    assert "goto ask" in script


def test_what_the_client_says_about_itself_does_not_reach_the_service(rack: LabSite, service: StandIn) -> None:
    service.expect((200, "#!ipxe\n"))
    status, body = get(f"http://{rack.rack}/boot/ipxe?mac=52:54:00:00:00:01", Authorization="Bearer stolen",
                       **{"X-Forwarded-For": "10.9.9.9", "X-Real-IP": "10.9.9.9"})
    assert (status, body) == (200, "#!ipxe\n")
    path, headers = service.seen[0]
    assert path == "/boot/ipxe?mac=52:54:00:00:00:01"
    assert headers["X-Forwarded-For"] == rack.rack
    assert headers["X-Real-IP"] == rack.rack
    assert headers["X-Forwarded-Proto"] == "http"
    assert "Authorization" not in headers


def test_no_log_holds_a_token(rack: LabSite, service: StandIn) -> None:
    service.expect((200, "#!ipxe\n"))
    get(f"http://{rack.rack}/boot/phone-home/TOKEN-IN-PATH?token=TOKEN-IN-QUERY")
    held = service.answers[:]
    service.close()
    try:
        assert get(f"http://{rack.rack}/boot/phone-home/TOKEN-IN-PATH")[0] == 502
    finally:
        service.open()
        service.expect(*held)
    for log in [*(rack.directory / "boot_server").rglob("*"), *Path("/var/log/metalpool").glob(f"{rack.mark}-*")]:
        if log.is_file():
            assert b"TOKEN-IN" not in log.read_bytes(), log
    assert any("/boot/phone-home 502" in line for line in rack.requests())


def test_only_the_boot_endpoints_are_handed_on(rack: LabSite, service: StandIn) -> None:
    service.expect((200, "#!ipxe\n"))
    for path in ("/api/v1/nodes", "/", "/boot/../api/v1/nodes", "/boot/%2e%2e/api/v1/nodes", "/boot/..%2fapi/v1/nodes",
                 "/ipxe/../../boot_server/dnsmasq.conf", "/ipxe/", "/images/"):
        assert get(f"http://{rack.rack}{path}")[0] in (400, 403, 404), path
    assert service.seen == []


def test_a_service_with_another_certificate_is_not_believed(rack: LabSite, service: StandIn, tmp_path: Path) -> None:
    service.expect((200, "#!ipxe\n"))
    other = make_certificate(tmp_path, "other", "localhost")
    try:
        assert rack.boot_server(boot_server_ca_file=str(other)).ok
        assert get(f"http://{rack.rack}/boot/ipxe")[0] == 502
        assert service.seen == []
    finally:
        assert rack.boot_server().ok
    assert get(f"http://{rack.rack}/boot/ipxe")[0] == 200


def test_a_second_run_changes_and_restarts_nothing(rack: LabSite) -> None:
    files = [Path(f"/run/metalpool/{rack.mark}-{name}.pid") for name in ("dnsmasq", "nginx")]
    pids = [file.read_text() for file in files]
    for options in ([], ["--check"]):
        again = rack.boot_server(*options)
        assert again.ok, again.text
        assert again.changed == 0, again.text
    assert pids == [file.read_text() for file in files]


def test_an_interface_without_an_address_is_refused_in_words(rack: LabSite) -> None:
    refused = rack.boot_server(boot_server_interface="mpnone0")
    assert not refused.ok
    assert "boot_server_interface: mpnone0 has no IPv4 address here" in refused.text
