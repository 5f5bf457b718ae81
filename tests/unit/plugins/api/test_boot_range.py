"""The boot server hands out the boot ranges of the service's subnet: the role's own tasks and template, the real service."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.played_pool import PlayedPool
from tests.service.real_service import ROOT

PLAY = f"""
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: metalpool.core.boot_server
        tasks_from: range.yml
        public: true
    - ansible.builtin.template:
        src: {ROOT}/roles/boot_server/templates/dnsmasq.conf.j2
        dest: "{{{{ written }}}}"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def subnets(pool: PlayedPool) -> PlayedPool:
    """boot4 has two boot ranges; twice is a network that two fabrics have."""
    ranges = [
        {"kind": "boot", "first": "10.0.9.50", "last": "10.0.9.59"},
        {"kind": "reserved", "first": "10.0.9.1", "last": "10.0.9.9"},
        {"kind": "boot", "first": "10.0.9.70", "last": "10.0.9.79"},
    ]
    pool.ask("PUT", "/fabrics/other", {})
    pool.ask("PUT", "/vlans/boot", {"fabric": "lab", "vid": 9})
    pool.ask("PUT", "/vlans/boot-other", {"fabric": "other", "vid": 9})
    pool.ask("PUT", "/subnets/boot4", {"vlan": "boot", "cidr": "10.0.9.0/24", "ranges": ranges})
    for name, vlan in (("twice", "boot"), ("twice-other", "boot-other")):
        pool.ask("PUT", f"/subnets/{name}", {"vlan": vlan, "cidr": "10.0.10.0/24"})
    return pool


@pytest.mark.parametrize(
    ("address", "given", "expected"),
    [
        ("10.0.9.1", "", ["10.0.9.50,10.0.9.59", "10.0.9.70,10.0.9.79"]),
        ("10.0.9.1", "boot_server_dhcp_first=10.0.9.20", ["10.0.9.20,10.0.9.199"]),
        ("10.0.9.1", "boot_server_token_file=/nowhere", ["10.0.9.100,10.0.9.199"]),
        ("10.0.7.1", "", ["10.0.7.100,10.0.7.199"]),
        ("192.0.2.1", "", ["192.0.2.100,192.0.2.199"]),
        ("10.0.10.1", "", None),
    ],
)
def test_what_dhcp_hands_out(
    subnets: PlayedPool,
    run_playbook: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    address: str,
    given: str,
    expected: list[str] | None,
) -> None:
    service, written = subnets.service, tmp_path / "dnsmasq.conf"
    words = [
        f"written={written}", f"boot_server_address={address}", "boot_server_netmask=255.255.255.0", "boot_server_interface=lo",
        f"boot_server_service_url={service.url}", f"boot_server_token_file={service.directory}/worker.token",
        f"boot_server_ca_file={service.ca_file}", "boot_server_router_advertisements=no", "boot_server_dhcp_router=''", given,
    ]  # fmt: skip
    done = run_playbook(PLAY, *(part for word in words if word for part in ("-e", word)))
    if expected is None:
        assert done.returncode != 0
        assert "10.0.10.1 is in several subnets of the service (twice, twice-other)" in " ".join(done.stdout.split())
        return
    assert done.returncode == 0, done.stdout
    found = [line for line in written.read_text(encoding="utf-8").splitlines() if line.startswith("dhcp-range=")]
    assert found == [f"dhcp-range={one},255.255.255.0,1h" for one in expected]
