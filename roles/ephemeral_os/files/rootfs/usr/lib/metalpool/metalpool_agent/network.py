"""DHCP on all links at once; the link that reaches the rack is the one that counts."""

from __future__ import annotations

import os
import socket
import subprocess
import time

from metalpool_agent import http_client
from metalpool_agent.files import read

NET = "/sys/class/net"
LEASES = "/run/metalpool"
UDEV_DATABASE = "/run/udev/data"
DHCP = ("/bin/busybox", "udhcpc", "-f", "-t", "10", "-T", "1", "-A", "3", "-s", "/usr/lib/metalpool/lease", "-i")
ETHERNET = "1"


def links(net: str = NET) -> dict[str, str]:
    """MAC addresses of the machine's own Ethernet links by name (ARPHRD_ETHER, with a device behind)."""
    return {
        name: read(f"{net}/{name}/address").lower()
        for name in sorted(os.listdir(net))
        if os.path.exists(f"{net}/{name}/device") and read(f"{net}/{name}/type") == ETHERNET
    }


def named(link: str, net: str = NET, database: str = UDEV_DATABASE) -> bool:
    """Whether udev has seen the link: before that, it may still give it another name, which must be down for it."""
    return os.path.exists(f"{database}/n{read(f'{net}/{link}/ifindex')}")


def address_towards(host: str, port: int, link: str) -> str | None:
    """Our IPv4 address on this link if the host accepts a connection over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(3)
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
            probe.connect((host, port))
        except OSError:
            return None
        return probe.getsockname()[0]


def prefer(link: str) -> None:
    """Let this link's default route win over those of the others."""
    routes = subprocess.run(
        ["ip", "-4", "route", "show", "default", "dev", link], capture_output=True, text=True, check=False
    ).stdout.split()
    if "via" in routes:
        gateway = routes[routes.index("via") + 1]
        subprocess.run(["ip", "route", "replace", "default", "via", gateway, "dev", link, "metric", "1"], check=False)


def bring_up(url: str, pause: float = 0.05) -> tuple[str, str]:
    """Start a DHCP client on every link, also on those that appear late; (link, our address) towards the URL.

    It waits for as long as it takes: without a network there is nothing else to do.
    """
    host, port, unused = http_client.split_url(url)
    clients: dict[str, subprocess.Popen[bytes]] = {}
    while True:
        for link in links():
            if link not in clients and named(link):
                clients[link] = subprocess.Popen([*DHCP, link], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        leased = [link for link in clients if os.path.exists(f"{LEASES}/lease.{link}")]
        for link in leased:
            address = address_towards(host, port, link)
            if address:
                if len(leased) > 1 or len(clients) > 1:
                    prefer(link)
                return link, address
        time.sleep(pause if not leased else 1)
