"""Addresses and networks as people write them, IPv4 and IPv6: checked here, kept as netaddr writes them."""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import AddrFormatError, IPAddress, IPNetwork

from inventory_service.problems import Invalid

Span = tuple[int, int]
"""The first and the last position of neighbouring addresses, counted from the network's first address."""

FAR = 1 << 59
"""The last position that is counted; no subnet of IPv4 has so many."""


def parse_network(field: str, text: str) -> IPNetwork:
    """A network by its first address and its prefix length.

    :raises Invalid: it is none, or the address has bits behind the prefix
    """
    try:
        network = IPNetwork(text.strip())
    except (AddrFormatError, ValueError):
        network = None
    if network is None or "/" not in text:
        raise Invalid(field, text, f"{text!r} is not a network", "such as 192.0.2.0/24 or 2001:db8::/64")
    if network.ip != network.network:
        raise Invalid(field, text, f"{text!r} names an address inside the network", str(network.cidr))
    return network


def parse_address(field: str, text: str) -> IPAddress:
    """An address.

    :raises Invalid: it is none
    """
    try:
        return IPAddress(text.strip())
    except (AddrFormatError, ValueError):
        raise Invalid(field, text, f"{text!r} is not an IP address", "such as 192.0.2.7 or 2001:db8::7") from None


def parse_host(field: str, text: str, network: IPNetwork) -> IPAddress:
    """An address that a host of the network can have.

    :raises Invalid: it is none, or outside, or means the network itself or all hosts of it
    """
    address = parse_address(field, text)
    if address not in network:
        raise Invalid(field, text, f"{text} is not in {network}", f"an address of {network}")
    if any(first <= position_of(network, address) <= last for first, last in _not_for_hosts(network)):
        raise Invalid(field, text, f"{text} means the network {network} itself, no host", f"another address of {network}")
    return address


def position_of(network: IPNetwork, address: IPAddress) -> int:
    """How many addresses of the network come before this one."""
    return int(address) - int(network.first)


def at(network: IPNetwork, position: int) -> str:
    """The address at a position."""
    return str(IPAddress(int(network.first) + position, network.version))


def _not_for_hosts(network: IPNetwork) -> list[Span]:
    """IPv4 has the network's and the broadcast address (RFC 3021 does without in a /31), IPv6 the routers' anycast address."""
    last = network.size - 1
    if network.version == 4:
        return [(0, 0), (last, last)] if network.prefixlen < 31 else []
    return [(0, 0)] if network.prefixlen < 127 else []


def assignable(network: IPNetwork, excluded: Iterable[Span]) -> list[Span]:
    """What hosts can have and nothing excludes, in order."""
    found: list[Span] = []
    following = 0
    for first, last in sorted([*_not_for_hosts(network), *excluded, (network.size, network.size)]):
        if first > following:
            found.append((following, first - 1))
        following = max(following, last + 1)
    return found


def counted(position: int) -> int:
    """A position as the database keeps it: a BIGINT holds ``FAR``, and what lies beyond is all the same place."""
    return min(position, FAR)
