"""The first half of a machine's life: enlist and commission, and requests that are refused. The tests run in their order."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from testbed.site import PlaybookFailed, Site
from tests.e2e.conftest import disk_files


def test_an_unknown_machine_enlists_and_is_untouched(site: Site, enlisted: dict[str, dict[str, Any]]) -> None:
    for name, node in enlisted.items():
        expected = site.machines[name]
        assert node["state"] == "new"
        assert node["serial"] == expected["serial"]
        assert node["uuid"].lower() == expected["uuid"].lower()
        assert node["firmware"] == expected["firmware"]
        assert node["arch"] == "amd64"
        assert node["interfaces"][0]["mac"]
        assert node["interfaces"][0]["vlan"] == "lab", "learned from the address that it booted with"
        assert node["bmc"]["address"] == expected["bmc"]["address"], "the BMC's address is found in-band"
        for file in disk_files(site, name):
            assert file.stat().st_blocks == 0, "nothing is written to a disk before the machine is accepted"


def test_commissioning_learns_the_hardware(site: Site, commissioned: dict[str, dict[str, Any]]) -> None:
    small, large = site.admin.get("/nodes/t1"), site.admin.get("/nodes/t2")
    assert (small["state"], large["state"]) == ("ready", "ready")
    assert (small["memory_bytes"], large["memory_bytes"]) == (1 << 30, 2 << 30)
    assert (small["cpus"], large["cpus"]) == (1, 2)
    assert (small["firmware"], large["firmware"]) == ("bios", "uefi")
    assert [disk["kind"] for disk in large["disks"]] == ["nvme"]
    assert large["disks"][0]["serial"] == site.machines["t2"]["disks"][0]["serial"]
    facts = site.admin.get("/nodes/t2/facts")["facts"]
    assert facts["cpu"]["threads"] == 2
    assert facts["interfaces"][0]["driver"] == "virtio_net"
    assert facts["pci"] and facts["numa"] and facts["tpm"]["present"] is False


def test_commissioning_leaves_an_own_account_on_the_bmc(site: Site, commissioned: dict[str, dict[str, Any]]) -> None:
    node = site.admin.get("/nodes/t1")
    assert node["bmc"]["username"] == "metalpool"
    assert "password" not in node["bmc"]
    users = subprocess.run(["ipmitool", "-I", "lanplus", "-H", node["bmc"]["address"], "-U", "admin", "-E", "user", "list", "1"],
                           env=os.environ | {"IPMI_PASSWORD": "factory-1"}, check=False, capture_output=True, text=True)
    assert "metalpool" in users.stdout, users.stdout + users.stderr
    assert site.chassis("t1", "get", "power") == "power:0"


@pytest.mark.parametrize(("variables", "names"), [
    ({"mem": "banana"}, ["mem", "banana"]),
    ({"mem": "-1G"}, ["mem", "-1G"]),
    ({"constraints": {"colour": "red"}}, ["colour"]),
    ({"image": "windows-95"}, ["image", "windows-95", "debian-12"]),
    ({"mem": "64G"}, ["mem", "2"]),
    ({"zone": "moon"}, ["zone", "moon"]),
])
def test_a_bad_request_says_why_and_allocates_nothing(site: Site, commissioned: dict[str, dict[str, Any]],
                                                      variables: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(PlaybookFailed) as failure:
        site.playbook("playbooks/acquire.yml", {"image": "debian-12", "allocation": "bad"} | variables)
    for name in names:
        assert name in str(failure.value)
    assert not [one for one in site.admin.get("/allocations")["items"] if one["state"] != "released"]
    assert {node["state"] for node in site.admin.get("/nodes")["items"]} == {"ready"}
