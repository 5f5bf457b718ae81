"""Subnets as records: every address that a person writes is checked here, and so is what a change would leave behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netaddr import IPAddress, IPNetwork
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from inventory_service import ip
from inventory_service.db import hold
from inventory_service.events import record
from inventory_service.ip import Span
from inventory_service.models import Address, AddressRange, Subnet, Vlan
from inventory_service.named import named, put
from inventory_service.networks import check_overlap
from inventory_service.problems import Conflict, Invalid, NotFound

_LINK_LOCAL = IPNetwork("fe80::/10")
_SHOWN = 5


def whole() -> tuple[ExecutableOption, ...]:
    """Loader options for a subnet with its ranges, its VLAN, fabric and space."""
    vlan = joinedload(Subnet.vlan)
    return (selectinload(Subnet.ranges), vlan.joinedload(Vlan.fabric), vlan.joinedload(Vlan.space))


def whole_subnet(session: Session, name: str, *, change: bool = False) -> Subnet:
    """The subnet of that name with its ranges, its VLAN, fabric and space.

    :param change: hold it until the transaction ends
    :raises NotFound: there is none
    """
    query = select(Subnet).where(Subnet.name == name).options(*whole()).execution_options(populate_existing=True)
    found = session.scalar(query.with_for_update(of=Subnet) if change else query)
    if found is None:
        raise NotFound("subnet", name)
    return found


def put_subnet(session: Session, name: str, values: Mapping[str, Any], actor: str) -> tuple[Subnet, bool]:
    """Set a subnet; a new one needs its VLAN and its network. What is left out stays.

    :param values: vlan (by name), cidr, gateway, dns_servers, assign, description, ranges
    :raises Invalid: something of it is no address, or not inside
    :raises Conflict: it overlaps another subnet of the fabric, or has addresses that the change would leave behind
    """
    known = session.scalar(select(Subnet).where(Subnet.name == name))
    if known is not None:
        hold(session, known)
        session.refresh(known, ["ranges", "vlan"])
    said = (_document(known) if known else _NEW) | {key: value for key, value in values.items() if value is not None}
    if "gateway" in values:
        said["gateway"] = values["gateway"]
    for field in ("vlan", "cidr"):
        if said[field] is None:
            raise Invalid(field, None, f"a new subnet needs its {field}")
    vlan = named(session, Vlan, "vlan", said["vlan"])
    network = ip.parse_network("cidr", said["cidr"])
    check_overlap(session, vlan.fabric_id, network, "cidr", said["cidr"], but=known.id if known else None)
    columns = {
        "vlan_id": vlan.id,
        "cidr": str(network),
        "gateway": _gateway(said["gateway"], network) if said["gateway"] else None,
        "dns_servers": [
            str(ip.parse_address(f"dns_servers.{index}", one)) for index, one in enumerate(said["dns_servers"])
        ],
        "assign": said["assign"],
        "description": said["description"],
    }
    for key in ("cidr", "vlan_id"):
        if known is not None and columns[key] != getattr(known, key):
            _check_none_taken(session, known, key.removesuffix("_id"))
    ranges = _ranges(said["ranges"], network, columns["gateway"])
    before = _document(known)["ranges"] if known else []
    subnet, new = put(session, Subnet, name, columns, actor)
    if ranges != before:
        _set_ranges(session, subnet, network, ranges, actor)
    return whole_subnet(session, name), new


_NEW: dict[str, Any] = {"vlan": None, "cidr": None, "gateway": None, "dns_servers": [], "assign": False,
                        "description": "", "ranges": []}  # fmt: skip


def _document(known: Subnet) -> dict[str, Any]:
    """A subnet in the words of a request."""
    ranges = [{"kind": one.kind, "first": one.first, "last": one.last, "comment": one.comment} for one in known.ranges]
    return {name: getattr(known, name) for name in _NEW} | {"vlan": known.vlan.name, "ranges": ranges}


def _gateway(text: str, network: IPNetwork) -> str:
    if network.version == 6 and (address := ip.parse_address("gateway", text)) in _LINK_LOCAL:
        return str(address)
    return str(ip.parse_host("gateway", text, network))


def _check_none_taken(session: Session, subnet: Subnet, field: str) -> None:
    taken = _taken(session, subnet, (0, ip.FAR))
    if taken:
        raise Conflict(
            f"subnet {subnet.name!r} has addresses that are taken ({', '.join(taken)}): its {field} stays until they are free",
            field=field,
            value=taken[0],
        )


def _taken(session: Session, subnet: Subnet, span: Span) -> list[str]:
    """The first taken addresses of a span."""
    inside = Address.position.between(ip.counted(span[0]), ip.counted(span[1]))
    query = select(Address.ip).where(Address.subnet_id == subnet.id, inside).order_by(Address.position).limit(_SHOWN)
    return list(session.scalars(query))


def _ranges(said: Sequence[Mapping[str, Any]], network: IPNetwork, gateway: str | None) -> list[dict[str, Any]]:
    """The ranges of a subnet, checked: inside, first before last, none over another, no gateway that is given out."""
    found: list[dict[str, Any]] = []
    for index, one in enumerate(said):
        at = f"ranges.{index}"
        first, last = (ip.parse_host(f"{at}.{end}", one[end], network) for end in ("first", "last"))
        if last < first:
            raise Invalid(f"{at}.last", one["last"], f"{last} comes before {first}", f"an address from {first}")
        for other in found:
            if first <= IPAddress(other["last"]) and IPAddress(other["first"]) <= last:
                why = f"{first} to {last} overlaps {other['first']} to {other['last']}"
                raise Invalid(f"{at}.first", one["first"], why, "ranges that have no address in common")
        if one["kind"] == "boot" and gateway and first <= IPAddress(gateway) <= last:
            why = f"{first} to {last} has the gateway {gateway}, which DHCP would give to a machine"
            raise Invalid(f"{at}.first", one["first"], why, "a range without it")
        found.append({"kind": one["kind"], "first": str(first), "last": str(last), "comment": one.get("comment") or ""})
    return found


def _set_ranges(
    session: Session, subnet: Subnet, network: IPNetwork, ranges: list[dict[str, Any]], actor: str
) -> None:
    rows = [AddressRange(**one) for one in ranges]
    for row in rows:
        taken = _taken(session, subnet, span_of(network, row)) if row.kind == "boot" else []
        if taken:
            why = f"the boot range {row.first} to {row.last} has addresses that are taken: {', '.join(taken)}"
            raise Conflict(why, field="ranges", value=taken[0])
    session.refresh(subnet, ["ranges"])
    subnet.ranges = rows
    session.flush()
    record(session, "subnet.ranges-changed", actor, name=subnet.name, ranges=ranges)


def span_of(network: IPNetwork, one: AddressRange) -> Span:
    """A range by positions."""
    return ip.position_of(network, IPAddress(one.first)), ip.position_of(network, IPAddress(one.last))


def assignable(subnet: Subnet, network: IPNetwork) -> list[Span]:
    """What may be assigned: no range has it, and it is neither the gateway nor a name server."""
    hosts = [IPAddress(text) for text in (subnet.gateway, *subnet.dns_servers) if text]
    kept_back = [span_of(network, one) for one in subnet.ranges]
    kept_back += [(ip.position_of(network, one),) * 2 for one in hosts if one in network]
    return ip.assignable(network, kept_back)


def use(session: Session, subnet: Subnet) -> dict[str, int]:
    """How many addresses there are, can be assigned, are taken, and are free to be assigned."""
    network = IPNetwork(subnet.cidr)
    spans = assignable(subnet, network)
    taken = session.scalars(select(Address.position).where(Address.subnet_id == subnet.id)).all()
    inside = sum(any(first <= position <= last for first, last in spans) for position in taken)
    can = sum(last - first + 1 for first, last in spans)
    return {"total": int(network.size), "assignable": can, "taken": len(taken), "free": can - inside}
