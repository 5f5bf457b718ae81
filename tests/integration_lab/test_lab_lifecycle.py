"""The lab as a declared state: repeated, changed, repaired, taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .site import NODES, PASSWORD, REPOSITORY, LabNode, LabSite

PROGRAM = REPOSITORY / "roles/virtual_lab/files/lab/lab.py"


def declared(*nodes: dict[str, Any]) -> list[dict[str, Any]]:
    """The usual list with these nodes changed or added."""
    changed = {node["name"]: node for node in nodes}
    usual = [{**node, "bmc": {"password": PASSWORD}} for node in NODES if node["name"] not in changed]
    return usual + list(changed.values())


def test_a_second_run_changes_nothing(lab: LabSite) -> None:
    for options in ([], ["--check"]):
        again = lab.lab(*options)
        assert again.ok, again.text
        assert again.changed == 0, again.text


def test_the_first_run_can_be_a_check(lab: LabSite, tmp_path: Path) -> None:
    checked = lab.lab("--check", virtual_lab_directory=str(tmp_path / "new"))
    assert checked.ok, checked.text
    assert checked.changed > 0, checked.text
    assert not (tmp_path / "new").exists()


def test_every_bmc_answers_with_its_own_identity(lab: LabSite) -> None:
    for name in lab.nodes:
        node = lab.node(name)
        assert node.power == "off"
        parameters = node.ipmi("lan", "print", "1")
        assert node.document["bmc"]["address"] in parameters
        assert node.document["bmc"]["mac"] in parameters
        assert node.document["uuid"] in node.ipmi("mc", "guid").lower()


def test_no_password_stands_where_others_can_read_it(lab: LabSite) -> None:
    holders = [path for path in (lab.directory / "lab").rglob("*")
               if path.is_file() and path.stat().st_size < 2**20 and PASSWORD.encode() in path.read_bytes()]
    assert holders
    for path in holders:
        closed = [parent for parent in path.parents if parent.name == "bmc"]
        assert closed, path
        assert closed[0].stat().st_mode & 0o077 == 0, path


def test_a_bmc_that_died_is_started_again_and_the_others_left_alone(lab: LabSite) -> None:
    def pid(name: str) -> int:
        return int((lab.node(name).directory / "bmc/ipmi_sim.pid").read_text().split()[0])

    before = {name: pid(name) for name in lab.nodes}
    os.kill(before["uefi"], signal.SIGKILL)
    repaired = lab.lab()
    assert repaired.ok, repaired.text
    assert repaired.changed == 1, repaired.text
    after = {name: pid(name) for name in lab.nodes}
    assert [name for name in before if before[name] != after[name]] == ["uefi"]
    assert lab.node("uefi").power == "off"


def test_one_node_comes_and_goes_and_the_others_stay(lab: LabSite) -> None:
    addresses = {name: node["bmc"]["address"] for name, node in lab.nodes.items()}
    assert lab.lab(virtual_lab_nodes=declared({"name": "bios", "state": "absent"})).ok
    assert not (lab.directory / "lab/nodes/bios").exists()
    assert set(lab.nodes) == {"uefi", "rom"}
    for name in lab.nodes:  # the first address of the bridge went, the others must not go with it
        assert lab.node(name).power == "off"
    assert lab.lab().ok
    assert {name: node["bmc"]["address"] for name, node in lab.nodes.items()} == addresses
    assert lab.node("bios").power == "off"


def test_taking_it_away_leaves_nothing(slot: int, tmp_path: Path) -> None:
    site = LabSite(tmp_path, f"mpgo{slot}", 221 + 2 * slot)
    site.lab_variables["virtual_lab_nodes"] = site.lab_variables["virtual_lab_nodes"][:1]
    assert site.lab().ok
    node: LabNode = site.node("bios")
    node.ipmi("power", "on")
    bmc = int((node.directory / "bmc/ipmi_sim.pid").read_text().split()[0])
    guest = node.qemu_pids
    assert len(guest) == 1
    gone = site.lab(virtual_lab_state="absent")
    assert gone.ok, gone.text
    assert gone.changed > 0, gone.text
    assert not (tmp_path / "lab").exists()
    assert not Path("/run/netns", site.namespace).exists()
    assert not Path("/sys/class/net", site.interface).exists()
    for pid in [bmc, *guest]:
        assert not Path(f"/proc/{pid}/exe").exists()
    again = site.lab(virtual_lab_state="absent")
    assert again.ok, again.text
    assert again.changed == 0, again.text


@pytest.mark.parametrize(("node", "words"), [
    ({"name": "Node 1"}, "virtual_lab_nodes[0].name: 'Node 1'"),
    ({"name": "a", "memory": "banana"}, "virtual_lab_nodes[0].memory: 'banana' is not a size"),
    ({"name": "a", "memory": "-1G"}, "virtual_lab_nodes[0].memory: '-1G' is not a size"),
    ({"name": "a", "cpus": 0}, "virtual_lab_nodes[0].cpus: 0 is not allowed; write a whole number from 1 to 64"),
    ({"name": "a", "firmware": "coreboot"}, "write one of bios, uefi"),
    ({"name": "a", "disks": [{"kind": "floppy"}]}, "kind: 'floppy' is not allowed; write one of nvme, ssd, hdd"),
    ({"name": "a", "disks": [{"kind": "nvme", "bus": "sata"}]}, "bus: 'sata' is not allowed; write one of nvme"),
    ({"name": "a", "disks": [{"serial": "a,b=c"}]}, "disks[0].serial: 'a,b=c'"),
    ({"name": "a", "interfaces": [{"mac": "01:00:5e:00:00:01"}]}, "interfaces[0].mac"),
    ({"name": "a", "uuid": "12"}, "uuid: '12' is not a UUID"),
    ({"name": "a", "bmc": {"password": "p" * 17}}, "bmc.password: must have 1 to 16 characters"),
    ({"name": "a", "bmc": {"address": "10.0.0.1"}}, "bmc.address: 10.0.0.1 is not allowed"),
    ({"name": "a", "memroy": "1G"}, "virtual_lab_nodes[0].memroy: unknown; allowed are name"),
])
def test_a_wrong_list_is_refused_in_the_users_words(tmp_path: Path, node: dict[str, Any], words: str) -> None:
    settings = {"directory": str(tmp_path / "lab"), "accelerator": "tcg", "nodes": [node], "network": {
        "namespace": "mpno-lab", "bridge": "lab0", "rack_interface": "mpno0", "node_network": "172.30.237.0/24",
        "bmc_network": "172.30.238.0/24", "ipv6_network": ""}}
    result = subprocess.run([sys.executable, "-SEB", str(PROGRAM), "present"], input=json.dumps(settings),
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert words in result.stderr
    assert "p" * 17 not in result.stderr
    assert not Path("/run/netns/mpno-lab").exists()


def test_a_disk_never_shrinks(lab: LabSite) -> None:
    smaller = {**NODES[0], "bmc": {"password": PASSWORD}, "disks": [{"size": "32M", "kind": "ssd"}]}
    refused = lab.lab(virtual_lab_nodes=declared(smaller))
    assert not refused.ok
    assert "cannot shrink" in refused.text
    assert lab.lab().ok


def test_a_network_that_is_taken_is_refused(lab: LabSite, tmp_path: Path) -> None:
    rival = LabSite(tmp_path, "mpri", lab.number)
    refused = rival.lab()
    assert not refused.ok
    assert f"interface {lab.interface} has {lab.rack} in it already" in refused.text
    assert not Path("/run/netns", rival.namespace).exists()
    assert rival.lab(virtual_lab_state="absent").ok
