"""A lab of the tests' own: its names and networks do not meet those of a lab that is up already."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "factory-it"
NODES: list[dict[str, Any]] = [
    {"name": "bios", "memory": "512M", "firmware": "bios",
     "disks": [{"size": "64M", "kind": "ssd", "serial": "ITDISK0"}]},
    {"name": "uefi", "memory": "512M", "firmware": "uefi", "disks": [{"size": "64M", "kind": "nvme"}]},
    {"name": "rom", "memory": "512M", "cpus": 2, "firmware": "uefi", "interfaces": [{"model": "e1000e"}],
     "disks": [{"size": "64M", "kind": "ssd", "bus": "scsi"}, {"size": "64M", "kind": "hdd", "bus": "scsi"}]},
]


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Polls until `condition` is true and returns its value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


class Run:
    """What a playbook run did."""

    def __init__(self, completed: subprocess.CompletedProcess[str]) -> None:
        self.text = completed.stdout + completed.stderr
        self.ok = completed.returncode == 0
        recap = re.search(r"changed=(\d+)", self.text)
        self.changed = int(recap.group(1)) if recap else -1


class LabSite:
    """A lab and its boot server.

    Args:
        directory: where everything lies.
        mark: begins the names of namespace, interface and units; at most 8 characters.
        number: the third byte of the node network; the BMC network's is one more.
    """

    def __init__(self, directory: Path, mark: str, number: int) -> None:
        self.directory = directory
        self.mark = mark
        self.number = number
        self.namespace = f"{mark}-lab"
        self.interface = f"{mark}0"
        self.rack = f"172.30.{number}.1"
        self.log = Path(f"/var/log/metalpool/{mark}-dnsmasq.log")
        self.lab_variables: dict[str, Any] = {
            "virtual_lab_directory": str(directory / "lab"), "virtual_lab_namespace": self.namespace,
            "virtual_lab_rack_interface": self.interface, "virtual_lab_network": f"172.30.{number}.0/24",
            "virtual_lab_bmc_network": f"172.30.{number + 1}.0/24",
            "virtual_lab_accelerator": "tcg",
            "virtual_lab_nodes": [{**node, "bmc": {"password": PASSWORD}} for node in NODES]}
        self.boot_variables: dict[str, Any] = {
            "boot_server_interface": self.interface, "boot_server_name": mark,
            "boot_server_directory": str(directory / "boot_server"),
            "boot_server_www_directory": str(directory / "www"), "boot_server_service_url": "", "boot_server_token_file": ""}

    def play(self, playbook: str, variables: dict[str, Any], *options: str) -> Run:
        """Runs one of the collection's playbooks."""
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".ansible/collections"),
                       "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False"}
        return Run(subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), f"metalpool.core.{playbook}", "-e",
             json.dumps(variables), *options], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
            check=False))

    def lab(self, *options: str, **changes: Any) -> Run:
        """Brings the lab into the wanted state; `changes` go over the usual variables."""
        return self.play("lab", {**self.lab_variables, **changes}, *options)

    def boot_server(self, *options: str, **changes: Any) -> Run:
        """Brings the boot server into the wanted state."""
        return self.play("boot_server", {**self.boot_variables, **changes}, *options)

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """The machines that lab.json tells of."""
        found: dict[str, dict[str, Any]] = json.loads((self.directory / "lab/lab.json").read_text())["nodes"]
        return found

    def node(self, name: str) -> LabNode:
        """One machine."""
        return LabNode(self, self.nodes[name])

    def requests(self) -> list[str]:
        """The lines of the HTTP server's access log."""
        log = self.directory / "boot_server/nginx/access.log"
        return log.read_text().splitlines() if log.exists() else []

    def inside(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Starts a program inside the lab's namespace."""
        return subprocess.Popen(["ip", "netns", "exec", self.namespace, *command], text=True, **options)


class LabNode:
    """One machine, as its BMC, its console and its files show it."""

    def __init__(self, site: LabSite, document: dict[str, Any]) -> None:
        self.site = site
        self.document = document
        self.directory = Path(document["console"]).parent

    def ipmi(self, *command: str, username: str = "admin", password: str = PASSWORD) -> str:
        """Runs an ipmitool command over the LAN and returns what it printed; fails when it fails."""
        result = subprocess.run(
            ["ipmitool", "-I", "lanplus", "-C", "3", "-N", "2", "-R", "3", "-H", self.document["bmc"]["address"],
             "-U", username, "-E", *command],
            env={**os.environ, "IPMI_PASSWORD": password}, capture_output=True, text=True, check=False, timeout=60)
        assert result.returncode == 0, f"ipmitool {' '.join(command)}: {result.stderr}{result.stdout}"
        return result.stdout

    @property
    def power(self) -> str:
        """What the BMC says: `on` or `off`."""
        return self.ipmi("power", "status").split()[-1]

    @property
    def qemu_pids(self) -> list[int]:
        """The QEMU processes that really run for this machine (its directory is their working directory)."""
        pids = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if (entry / "cwd").readlink() == self.directory and (entry / "comm").read_text().startswith("qemu"):
                        pids.append(int(entry.name))
                except OSError:
                    continue
        return pids

    @property
    def console(self) -> str:
        """Everything that the serial console has shown."""
        return Path(self.document["console"]).read_text(errors="replace")

    def saw(self, text: str, seconds: float = 90, since: int = 0) -> None:
        """Waits until the console has shown `text`, from character `since` on."""
        wait_until(lambda: text in self.console[since:], seconds,
                   f"{text!r} on the console of {self.document['name']}, which ends: {self.console[-1500:]}")
