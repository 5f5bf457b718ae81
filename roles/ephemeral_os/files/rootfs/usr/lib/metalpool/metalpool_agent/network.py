"""DHCP runs on every link that has its name (udev's rules see to it); the link that reaches the rack is the one that counts."""

from __future__ import annotations

import _socket as socket  # the module socket itself costs a fifth of a second on a slow machine
import os
import time

from metalpool_agent import http_client, programs
from metalpool_agent.files import read

NET = "/sys/class/net"
LEASES = "/run/metalpool"
ETHERNET = "1"


def links(net: str = NET) -> dict[str, str]:
    """MAC addresses of the machine's own Ethernet links by name (ARPHRD_ETHER, with a device behind)."""
    return {
        name: read(f"{net}/{name}/address").lower()
        for name in sorted(os.listdir(net))
        if os.path.exists(f"{net}/{name}/device") and read(f"{net}/{name}/type") == ETHERNET
    }


def address_towards(host: str, port: int, link: str) -> str | None:
    """Our IPv4 address on this link if the host accepts a connection over it."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        probe.settimeout(3)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        probe.connect((host, port))
        return probe.getsockname()[0]
    except OSError:
        return None
    finally:
        probe.close()


def prefer(link: str) -> None:
    """Let this link's default route win over those of the others."""
    routes = (programs.output("ip", "-4", "route", "show", "default", "dev", link) or "").split()
    if "via" in routes:
        gateway = routes[routes.index("via") + 1]
        programs.output("ip", "route", "replace", "default", "via", gateway, "dev", link, "metric", "1")


def await_rack(url: str, pause: float = 0.05) -> tuple[str, str]:
    """The link that reaches the URL, and our address on it.

    It waits for as long as it takes: without a network there is nothing else to do.
    """
    host, port, unused = http_client.split_url(url)
    while True:
        leased = [link for link in links() if os.path.exists(f"{LEASES}/lease.{link}")]
        for link in leased:
            address = address_towards(host, port, link)
            if address:
                if len(links()) > 1:
                    prefer(link)
                return link, address
        time.sleep(1 if leased else pause)
