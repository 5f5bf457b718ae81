"""Brings the lab into the wanted state, or takes it away. The role calls it with the settings on standard input.

Usage: lab.py present|absent|status [--check]

It prints one JSON document: `changes` (a list of words, empty when there was nothing to do) and `nodes`. Errors go to
standard error with exit code 1. With --check it changes nothing and says what it would do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import accelerator
from bmc import Simulator
from files import locked, write_if_changed
from network import Network, Wiring
from qemu import FIRMWARE_VARIABLES
from spec import Node, SpecError, complete, node_from_document


class Lab:
    """The lab in one directory."""

    def __init__(self, settings: dict[str, Any], check: bool) -> None:
        self.settings = settings
        self.check = check
        self.directory = Path(settings["directory"])
        self.network = Network(**settings["network"])
        self.wiring = Wiring(self.network, check)
        self.changes: list[str] = []

    def known(self) -> dict[str, Node]:
        """Returns the nodes that are there already, from their own files, so that a lost lab.json does no harm."""
        nodes = {}
        for path in sorted(self.directory.glob("nodes/*/node.json")):
            node = node_from_document(json.loads(path.read_text())["node"])
            nodes[node.name] = node
        return nodes

    def node_directory(self, name: str) -> Path:
        """Returns where the files of a node are."""
        return self.directory / "nodes" / name

    def simulator(self, name: str) -> Simulator:
        """Returns the BMC of a node."""
        return Simulator(self.node_directory(name), self.network.namespace)

    def write(self, path: Path, text: str, mode: int = 0o644) -> bool:
        """Writes a file, unless it is only a check; returns whether it differed."""
        if self.check:
            return not path.exists() or path.read_text() != text
        return write_if_changed(path, text, mode)

    def power_off(self, name: str) -> None:
        """Cuts the power of a node."""
        subprocess.run([str(self.node_directory(name) / "chassis"), "set", "power", "0"], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def present(self, entries: list[Any]) -> dict[str, Node]:
        """Makes what is missing, starts BMCs that do not run, removes nodes marked absent. Returns all nodes."""
        known = self.known()
        wanted, absent = complete(entries, {name: node.slot for name, node in known.items()}, self.settings["network"])
        if not self.check:
            (self.directory / "nodes").mkdir(parents=True, exist_ok=True)
        chosen, probed = accelerator.choose(self.directory, self.settings["accelerator"], self.check)
        if probed:
            self.changes.append(f"accelerator {chosen}")
        for name in absent:
            if name in known:
                self.remove(known.pop(name))
        bmcs = [node.bmc.address for node, unused in wanted if node.bmc]
        self.wiring.present(bmcs, [interface.tap for node, unused in wanted for interface in node.interfaces])
        for node, password in wanted:
            self.make(node, password, chosen)
            known[node.name] = node
        self.record(known, chosen)
        return known

    def make(self, node: Node, password: str, chosen: str) -> None:
        """Makes the files of one node and starts its BMC."""
        directory = self.node_directory(node.name)
        document = json.dumps({"node": node.document(), "accelerator": chosen}, indent=1) + "\n"
        if self.write(directory / "node.json", document):
            self.changes.append(f"node {node.name}")
        if not self.check:
            (directory / "console.log").touch()
        for disk in node.disks:
            self.make_disk(directory / disk.path, disk.size_bytes)
        variables = directory / "firmware-variables.fd"
        if node.firmware == "uefi" and not variables.exists():
            self.changes.append(f"firmware variables of {node.name}")
            if not self.check:
                shutil.copyfile(FIRMWARE_VARIABLES, variables)
        self.make_bmc(node, password)

    def make_disk(self, path: Path, size: int) -> None:
        """Makes a sparse disk, or lets it grow. It never shrinks: that would cut off somebody's data."""
        there = path.stat().st_size if path.exists() else 0
        if there > size:
            raise SpecError(f"{path}: has {there} bytes already and cannot shrink to {size}; remove the node first "
                            "(state: absent)")
        if there < size:
            self.changes.append(f"disk {path}")
            if not self.check:
                with path.open("ab") as stream:
                    stream.truncate(size)

    def make_bmc(self, node: Node, password: str) -> None:
        """Configures a node's BMC and starts it where it does not run."""
        if node.bmc is None:
            return
        simulator = self.simulator(node.name)
        if self.check:
            if not simulator.running():
                self.changes.append(f"BMC of {node.name}")
            return
        reconfigured = simulator.configure(node, node.bmc, password, Path(__file__).resolve().parent)
        if reconfigured:
            simulator.stop()
        if not simulator.running():
            self.changes.append(f"BMC of {node.name}")
            simulator.start(node.bmc)

    def remove(self, node: Node) -> None:
        """Removes one node: power, BMC, cables, files."""
        self.changes.append(f"no node {node.name}")
        if self.check:
            return
        if self.wiring.exists():
            self.power_off(node.name)
        self.simulator(node.name).stop()
        if node.bmc:
            self.wiring.remove_node(node.bmc.address, [interface.tap for interface in node.interfaces])
        shutil.rmtree(self.node_directory(node.name))

    def absent(self) -> None:
        """Removes the whole lab."""
        for node in self.known().values():
            self.remove(node)
        self.wiring.absent()

    def record(self, nodes: dict[str, Node], chosen: str) -> None:
        """Writes lab.json: what is there, for people and for tests. It holds no password."""
        document = {"namespace": self.network.namespace, "rack_interface": self.network.rack_interface,
                    "rack_addresses": self.network.rack_addresses, "accelerator": chosen,
                    "nodes": {name: self.describe(node) for name, node in sorted(nodes.items())}}
        if self.write(self.directory / "lab.json", json.dumps(document, indent=1) + "\n"):
            self.changes.append("lab.json")

    def describe(self, node: Node) -> dict[str, Any]:
        """Returns a node as lab.json shows it, with absolute paths."""
        directory = self.node_directory(node.name)
        document = node.document()
        for disk in document["disks"]:
            disk["path"] = str(directory / disk["path"])
        return {**document, "chassis": str(directory / "chassis"), "console": str(directory / "console.log")}


def main(arguments: list[str]) -> int:
    """Runs the program; returns the exit code."""
    settings = json.load(sys.stdin)
    lab = Lab(settings, "--check" in arguments)
    try:
        if arguments[0] == "absent":
            lab.absent()
        elif lab.check:
            lab.present(settings["nodes"])
        else:
            lab.directory.mkdir(parents=True, exist_ok=True)
            with locked(lab.directory / "lab.lock"):
                lab.present(settings["nodes"])
    except (SpecError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"changes": lab.changes + lab.wiring.changes}))
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(sys.argv[1:]))
