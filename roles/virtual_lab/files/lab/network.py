"""The lab's network: a namespace with a bridge, a tap for each interface, and a cable to the rack.

All guests and BMCs live in the namespace. The cable is a veth pair; its end outside is the rack's interface, with the
first address of both networks. There is no route and no address translation: nothing leaves.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import end
from spec import derived_mac


@dataclass(frozen=True)
class Network:
    """Names and addresses; networks are in CIDR notation."""

    namespace: str
    bridge: str
    rack_interface: str
    node_network: str
    bmc_network: str
    ipv6_network: str

    @property
    def rack_addresses(self) -> list[str]:
        """The rack's addresses, with their prefix lengths: the first of each network."""
        texts = (self.node_network, self.bmc_network, self.ipv6_network)
        networks = [ipaddress.ip_network(text) for text in texts if text]
        return [f"{network[1]}/{network.prefixlen}" for network in networks]


def run(*command: str) -> str:
    """Runs a command; returns what it printed. Raises RuntimeError with its error text when it fails."""
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def links(*where: str) -> dict[str, dict[str, Any]]:
    """Returns the network interfaces by name, with their addresses; `where` is `-n NAMESPACE` or nothing."""
    return {link["ifname"]: link for link in json.loads(run("ip", *where, "-json", "address", "show") or "[]")}


def addresses(link: dict[str, Any]) -> set[str]:
    """Returns the addresses of an interface, each with its prefix length."""
    return {f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if "local" in entry}


class Wiring:
    """Brings the network into the wanted state and says what it had to change."""

    def __init__(self, network: Network, check: bool = False) -> None:
        self.network = network
        self.check = check
        self.changes: list[str] = []

    def change(self, what: str, *commands: list[str]) -> None:
        """Notes a change and, unless it is only a check, runs the commands for it."""
        self.changes.append(what)
        if not self.check:
            for command in commands:
                run(*command)

    def exists(self) -> bool:
        """Whether the namespace is there."""
        return Path("/run/netns", self.network.namespace).exists()

    def inside(self) -> dict[str, dict[str, Any]]:
        """Returns the interfaces inside the namespace."""
        return links("-n", self.network.namespace) if self.exists() else {}

    def free(self) -> None:
        """Raises when another interface of the host is in one of the networks: replies would take that way."""
        for name, link in links().items():
            for entry in link["addr_info"] if name != self.network.rack_interface else []:
                there = ipaddress.ip_network(f"{entry['local']}/{entry['prefixlen']}", strict=False)
                for address in self.network.rack_addresses:
                    wanted = ipaddress.ip_network(address, strict=False)
                    if wanted.version == there.version and wanted.overlaps(there):
                        raise RuntimeError(f"network {wanted}: interface {name} has {entry['local']} in it already; "
                                           "give the lab other networks (virtual_lab_network, virtual_lab_bmc_network)")

    def present(self, bmc_addresses: list[str], taps: list[str]) -> None:
        """Makes the namespace, the bridge with the BMCs' addresses, the cable and the taps.

        Args:
            bmc_addresses: the BMCs' addresses, without prefix length.
            taps: the names of the taps.
        """
        self.free()
        net = self.network
        ip_in = ["ip", "-n", net.namespace]
        if not self.exists():
            self.change(f"namespace {net.namespace}", ["ip", "netns", "add", net.namespace],
                        [*ip_in, "link", "set", "lo", "up"],
                        ["ip", "netns", "exec", net.namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                         "net.ipv6.conf.default.disable_ipv6=1",
                         # The BMCs share the bridge; without this, the others' addresses go with the first one.
                         "net.ipv4.conf.all.promote_secondaries=1"])
        if net.bridge not in self.inside():
            # With an address of its own the bridge does not take the lowest of its ports, which would change with every
            # machine that comes or goes and leave the host with a stale neighbour for all BMCs.
            self.change(f"bridge {net.bridge}",
                        [*ip_in, "link", "add", net.bridge, "address", derived_mac(net.namespace, "bridge"), "type",
                         "bridge", "forward_delay", "0", "mcast_snooping", "0"], [*ip_in, "link", "set", net.bridge, "up"])
        if net.rack_interface not in links():
            peer = "rack0"
            self.change(f"interface {net.rack_interface}",
                        ["ip", "link", "add", net.rack_interface, "type", "veth", "peer", "name", peer, "netns",
                         net.namespace],
                        ["sysctl", "-qw", f"net.ipv6.conf.{net.rack_interface}.accept_ra=0"],
                        [*ip_in, "link", "set", peer, "master", net.bridge, "up"],
                        ["ip", "link", "set", net.rack_interface, "up"])
        present = addresses(links().get(net.rack_interface, {"addr_info": []}))
        for address in net.rack_addresses:
            if address not in present:
                at_once = ["nodad"] if ":" in address else []
                self.change(f"address {address}", ["ip", "address", "add", address, "dev", net.rack_interface, *at_once])
        self.bmc_addresses(bmc_addresses)
        for tap in taps:
            if tap not in self.inside():
                self.change(f"tap {tap}", [*ip_in, "tuntap", "add", "dev", tap, "mode", "tap"],
                            [*ip_in, "link", "set", tap, "master", net.bridge, "up"])

    def bmc_addresses(self, wanted: list[str]) -> None:
        """Gives the bridge the BMCs' addresses."""
        prefix = ipaddress.ip_network(self.network.bmc_network).prefixlen
        present = addresses(self.inside().get(self.network.bridge, {"addr_info": []}))
        for address in wanted:
            if f"{address}/{prefix}" not in present:
                self.change(f"BMC address {address}", ["ip", "-n", self.network.namespace, "address", "add",
                                                       f"{address}/{prefix}", "dev", self.network.bridge])

    def remove_node(self, bmc_address: str, taps: list[str]) -> None:
        """Takes away the taps and the BMC's address of one node."""
        prefix = ipaddress.ip_network(self.network.bmc_network).prefixlen
        inside = self.inside()
        for tap in taps:
            if tap in inside:
                self.change(f"no tap {tap}", ["ip", "-n", self.network.namespace, "link", "delete", tap])
        if f"{bmc_address}/{prefix}" in addresses(inside.get(self.network.bridge, {"addr_info": []})):
            self.change(f"no BMC address {bmc_address}", ["ip", "-n", self.network.namespace, "address", "delete",
                                                          f"{bmc_address}/{prefix}", "dev", self.network.bridge])

    def absent(self) -> None:
        """Takes everything away, with whatever still runs inside the namespace (it is the lab's own)."""
        if self.exists():
            pids = [int(pid) for pid in run("ip", "netns", "pids", self.network.namespace).split()]
            self.changes.append(f"no namespace {self.network.namespace}")
            if not self.check:
                for pid in pids:
                    if pid != os.getpid():
                        end(pid)
                # Deleting the cable first makes it certain that it is gone when this returns: a namespace is torn
                # down later, in the kernel's own time.
                if self.network.rack_interface in links():
                    run("ip", "link", "delete", self.network.rack_interface)
                run("ip", "netns", "delete", self.network.namespace)
