"""Networks as answers show them, and what the installed system is told of its interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netaddr import IPNetwork
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from inventory_service.models import Address, Allocation, Fabric, Interface, Node, Space, Subnet, Vlan, Zone
from inventory_service.subnets import use


def named_document(one: Space | Fabric | Zone) -> dict[str, Any]:
    """A space, a fabric or a zone."""
    return {"name": one.name, "description": one.description, "version": one.version}


def vlan_document(one: Vlan) -> dict[str, Any]:
    """A VLAN, loaded with its fabric and space."""
    return {
        "name": one.name,
        "fabric": one.fabric.name,
        "vid": one.vid,
        "space": one.space.name if one.space else None,
        "mtu": one.mtu,
        "description": one.description,
        "version": one.version,
    }


def subnet_document(one: Subnet) -> dict[str, Any]:
    """A subnet, loaded whole (``subnets.whole_subnet``)."""
    return {
        "name": one.name,
        "cidr": one.cidr,
        "vlan": one.vlan.name,
        "fabric": one.vlan.fabric.name,
        "space": one.vlan.space.name if one.vlan.space else None,
        "gateway": one.gateway,
        "dns_servers": one.dns_servers,
        "assign": one.assign,
        "ranges": [
            {"kind": part.kind, "first": part.first, "last": part.last, "comment": part.comment} for part in one.ranges
        ],
        "description": one.description,
        "version": one.version,
    }


def used_subnet_document(session: Session, one: Subnet) -> dict[str, Any]:
    """A subnet with how much of it is taken."""
    return subnet_document(one) | {"use": use(session, one)}


def address_documents(session: Session, rows: Sequence[Address], *, seen_by: int | None = None) -> list[dict[str, Any]]:
    """Addresses that are taken, with their holders.

    :param seen_by: the user who reads, who sees the holders of no other user's addresses; None for an administrator
    """
    ids = [one.id for one in rows]
    found = session.execute(
        select(Address.id, Interface.mac, Node.name, Allocation.name, Allocation.user_id)
        .outerjoin(Interface, Interface.id == Address.interface_id)
        .outerjoin(Node, Node.id == Interface.node_id)
        .outerjoin(Allocation, Allocation.id == Address.allocation_id)
        .where(Address.id.in_(ids))
    )
    holders = {row[0]: row[1:] for row in found}
    documents = []
    for one in rows:
        mac, node, allocation, user_id = holders[one.id]
        shown = seen_by is None or user_id == seen_by
        documents.append(
            {
                "ip": one.ip,
                "kind": one.kind,
                "node": node if shown else None,
                "interface": mac if shown else None,
                "allocation": allocation if shown else None,
                "comment": one.comment,
                "created_at": one.created_at,
            }
        )
    return documents


_address, _subnet, _interface = Address.__table__.c, Subnet.__table__.c, Interface.__table__.c
_BY_ALLOCATION = (
    select(_address.allocation_id, _subnet.name, _address.ip, _interface.mac)
    .join_from(Address.__table__, Subnet.__table__, _subnet.id == _address.subnet_id)
    .join(Interface.__table__, _interface.id == _address.interface_id)
    .where(_address.allocation_id.in_(bindparam("ids", expanding=True)))
    .order_by(_interface.id, _subnet.id)
)


def addresses_by_allocation(session: Session, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The addresses that allocations hold."""
    found: dict[int, list[dict[str, Any]]] = {}
    for allocation_id, subnet, text, mac in session.execute(_BY_ALLOCATION, {"ids": ids}):
        found.setdefault(allocation_id, []).append({"subnet": subnet, "ip": text, "interface": mac})
    return found


def network_document(session: Session, allocation_id: int) -> list[dict[str, Any]]:
    """What the installed system sets up: each interface that holds addresses; the others use DHCP.

    There is one default route for each of IPv4 and IPv6: by the first interface whose subnet has a gateway.
    """
    found: dict[int, dict[str, Any]] = {}
    routed: set[int] = set()
    for interface, subnet, mtu, text in session.execute(
        select(Interface, Subnet, Vlan.mtu, Address.ip)
        .join(Address, Address.interface_id == Interface.id)
        .join(Subnet, Subnet.id == Address.subnet_id)
        .join(Vlan, Vlan.id == Subnet.vlan_id)
        .where(Address.allocation_id == allocation_id)
        .order_by(Interface.id, Subnet.id)
    ):
        network = IPNetwork(subnet.cidr)
        one = found.setdefault(
            interface.id,
            {"mac": interface.mac, "name": interface.name, "dhcp": True, "addresses": [], "gateways": [], "dns": [], "mtu": mtu},
        )
        one["addresses"].append(f"{text}/{network.prefixlen}")
        one["dns"] += [server for server in subnet.dns_servers if server not in one["dns"]]
        if network.version == 4:
            one["dhcp"] = False
        if subnet.gateway and network.version not in routed:
            routed.add(network.version)
            one["gateways"].append(subnet.gateway)
    return list(found.values())
