# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed system's network: one list of interfaces, written for systemd-networkd or for cloud-init.

All are known by their MAC address and get the name given.
"""

from __future__ import annotations

import typing as t

NETWORK_PREFIX = "10-metalpool-"


class Interface(t.NamedTuple):
    """One Ethernet interface.

    C(dhcp) is about IPv4. C(addresses) have a prefix length (192.0.2.7/24); C(gateways), one for each of IPv4 and IPv6 at
    most, and C(dns) are plain addresses. C(mtu) in bytes; None leaves it to the driver, or to DHCP.
    """

    mac: str
    name: str
    dhcp: bool = True
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    mtu: int | None = None


def networkd(interfaces: t.Sequence[Interface]) -> dict[str, str]:
    """Files below /etc/systemd/network by name: for each interface its name (.link) and its addresses (.network).

    C(Type=ether) leaves out VLANs and bridges that have their interface's MAC address.
    """
    files = {}
    for entry in interfaces:
        match = f"[Match]\nMACAddress={entry.mac}\nType=ether\n"
        lines = ["DHCP=ipv4"] if entry.dhcp else []
        lines += [f"Address={address}" for address in entry.addresses]
        lines += [f"Gateway={gateway}" for gateway in entry.gateways]
        lines += [f"DNS={server}" for server in entry.dns]
        link = f"\n[Link]\nMTUBytes={entry.mtu}\n" if entry.mtu else ""
        files[f"{NETWORK_PREFIX}{entry.name}.link"] = f"{match}\n[Link]\nName={entry.name}\n"
        files[f"{NETWORK_PREFIX}{entry.name}.network"] = match + link + "\n[Network]\n" + "\n".join(lines) + "\n"
    return files


def cloud_init(interfaces: t.Sequence[Interface]) -> dict:
    """cloud-init's network-config, version 2."""
    ethernets = {}
    for entry in interfaces:
        found: dict = {"match": {"macaddress": entry.mac}, "set-name": entry.name, "dhcp4": entry.dhcp}
        if entry.addresses:
            found["addresses"] = list(entry.addresses)
        if entry.gateways:
            found["routes"] = [{"to": "::/0" if ":" in gateway else "0.0.0.0/0", "via": gateway} for gateway in entry.gateways]
        if entry.mtu:
            found["mtu"] = entry.mtu
        if entry.dns:
            found["nameservers"] = {"addresses": list(entry.dns)}
        ethernets[entry.name] = found
    return {"version": 2, "ethernets": ethernets}
