"""Who holds which address: assigned when a node is allocated, reserved by hand, free again when the release has ended.

A holder is a row, and the database has each address once; a subnet is held while one of its addresses is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netaddr import IPAddress, IPNetwork
from sqlalchemy import Boolean, bindparam, delete, exists, false, func, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from inventory_service import clock, ip
from inventory_service.constraints import Constraint
from inventory_service.events import Named, record
from inventory_service.ip import Span
from inventory_service.models import NODE, NODES, Address, Allocation, Bmc, Interface, Subnet
from inventory_service.named import named
from inventory_service.problems import Conflict, Invalid, NoAddress, NotFound
from inventory_service.subnets import assignable, span_of


def wanted_constraints(session: Session, wanted: Mapping[str, str]) -> list[Constraint]:
    """What a node has to be for its holder to get these addresses: on the subnet, and nobody else has the address.

    :param wanted: an address of each subnet, by the subnet's name
    :raises Invalid: no such subnet, or an address that nobody can get
    """
    found: list[Constraint] = []
    for name, text in wanted.items():
        field = f"addresses.{name}"
        subnet = named(session, Subnet, field, name)
        session.refresh(subnet, ["ranges"])
        address = _check_given(field, subnet, text)
        there = exists().where(Interface.node_id == NODE.id, Interface.vlan_id == subnet.vlan_id).correlate(NODES)
        own = select(Interface.id).where(Interface.node_id == NODE.id).correlate(NODES)
        free_for_it = (Address.kind == "reserved") & Address.allocation_id.is_(None) & Address.interface_id.in_(own)
        others = exists().where(Address.subnet_id == subnet.id, Address.ip == address, ~func.coalesce(free_for_it, false()))
        found += [
            Constraint(field, f"{address} (a node on this subnet)", there),
            Constraint(field, f"{address} (not taken)", ~others.correlate(NODES)),
        ]
    return found


def _check_given(field: str, subnet: Subnet, text: str) -> str:
    """An address that a person asks for.

    :raises Invalid: it is outside, or kept back
    """
    network = IPNetwork(subnet.cidr)
    address = ip.parse_host(field, text, network)
    for one in subnet.ranges:
        first, last = span_of(network, one)
        if first <= ip.position_of(network, address) <= last:
            why = f"{address} is in the {one.kind} range {one.first} to {one.last} of subnet {subnet.name}"
            raise Invalid(field, text, why, "an address outside the ranges")
    if str(address) in (subnet.gateway, *subnet.dns_servers):
        raise Invalid(field, text, f"{address} is the gateway or a name server of subnet {subnet.name}", "another address")
    return str(address)


_interface, _subnet = Interface.__table__.c, Subnet.__table__.c
_HERE = """(subnet.assign OR EXISTS (
    SELECT 1 FROM address WHERE address.subnet_id = subnet.id AND address.interface_id = interface.id AND address.kind = 'reserved'
))"""
_SOMEWHERE = f"""EXISTS (
    SELECT 1 FROM interface JOIN subnet ON subnet.vlan_id = interface.vlan_id WHERE interface.node_id = node.id AND {_HERE}
)"""  # noqa: S608 - constants
GETS_ADDRESSES = literal_column(_SOMEWHERE, Boolean)
"""Whether a node gets addresses that nobody asked for; as text, because what an UPDATE returns is named without its table
on SQLite."""
_PLACES = (
    select(_interface.id, _interface.mac, _subnet.id.label("subnet_id"))
    .join_from(Interface.__table__, Subnet.__table__, _subnet.vlan_id == _interface.vlan_id)
    .where(
        _interface.node_id == bindparam("node"),
        or_(literal_column(_HERE, Boolean), _subnet.name.in_(bindparam("wanted", expanding=True))),
    )
    .order_by(_interface.id, _subnet.id)
)
"""Where a node gets addresses."""


def assign(session: Session, allocation: Allocation, node: Named, actor: str, wanted: Mapping[str, str]) -> None:
    """Give the node's interfaces their addresses: those reserved for them, those asked for, else the lowest free ones.

    :param wanted: an address of each subnet, by the subnet's name, for the first interface on it
    :raises Conflict: one is taken
    :raises NoAddress: a subnet has none left
    """
    places = session.execute(_PLACES, {"node": node.id, "wanted": list(wanted)}).all()
    if not places and not wanted:
        return
    subnets = _hold(session, {place.subnet_id for place in places})
    left = dict(wanted)
    given = []
    for place in places:
        subnet = subnets[place.subnet_id]
        asked = left.pop(subnet.name, None)
        row = _given(session, allocation, place.id, subnet, asked) or _lowest(session, allocation, place.id, subnet)
        if row is not None:
            given.append({"subnet": subnet.name, "ip": row.ip, "interface": place.mac})
    for name, text in left.items():
        raise Invalid(f"addresses.{name}", text, f"node {node.name} has no interface on subnet {name}")
    if given:
        record(session, "addresses.assigned", actor, node=node, allocation=allocation, addresses=given)


def _hold(session: Session, ids: set[int]) -> dict[int, Subnet]:
    """These subnets, for this transaction alone until it ends, always in the same order."""
    query = select(Subnet).where(Subnet.id.in_(ids)).order_by(Subnet.id).options(selectinload(Subnet.ranges))
    rows = session.scalars(query.with_for_update(of=Subnet).execution_options(populate_existing=True))
    return {one.id: one for one in rows}


def _given(
    session: Session, allocation: Allocation, interface_id: int, subnet: Subnet, asked: str | None
) -> Address | None:
    """The address that was asked for, or that is reserved for the interface."""
    text = _check_given(f"addresses.{subnet.name}", subnet, asked) if asked else None
    own = select(Address).where(Address.subnet_id == subnet.id, Address.interface_id == interface_id)
    own = own.where(Address.kind == "reserved", Address.allocation_id.is_(None)).order_by(Address.position)
    for row in session.scalars(own):
        if text in (None, row.ip):
            row.allocation_id = allocation.id
            return row
    if text is None:
        return None
    made = _take(session, subnet, text, "assigned", interface_id, allocation.id)
    if made is None:
        raise taken(subnet, text)
    return made


def _lowest(session: Session, allocation: Allocation, interface_id: int, subnet: Subnet) -> Address | None:
    """The lowest free address, where the subnet assigns by itself; a BMC's address is not free.

    :raises NoAddress: none is left
    """
    if not subnet.assign:
        return None
    network = IPNetwork(subnet.cidr)
    spans = assignable(subnet, network)
    start = 0
    while (position := _lowest_free(session, subnet.id, spans, start)) is not None:
        text = ip.at(network, position)
        if not session.scalar(select(exists().where(Bmc.address == text))):
            row = _take(session, subnet, text, "assigned", interface_id, allocation.id)
            if row is not None:
                return row
        start = position + 1
    raise NoAddress(
        f"subnet {subnet.name!r} ({subnet.cidr}) has no free address left: widen it, or release nodes",
        field="subnet",
        value=subnet.name,
    )


def taken(subnet: Subnet, text: str) -> Conflict:
    """The error for an address that has a holder."""
    return Conflict(
        f"{text} of subnet {subnet.name!r} is taken: ask for another, or for none", field=f"addresses.{subnet.name}", value=text
    )


def _take(
    session: Session, subnet: Subnet, text: str, kind: str, interface_id: int | None, allocation_id: int | None = None
) -> Address | None:
    """Make the row that holds an address; None when it has a holder."""
    row = Address(
        subnet_id=subnet.id,
        ip=text,
        position=ip.counted(ip.position_of(IPNetwork(subnet.cidr), IPAddress(text))),
        kind=kind,
        interface_id=interface_id,
        allocation_id=allocation_id,
        created_at=clock.now(),
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    return row


def _lowest_free(session: Session, subnet_id: int, spans: Sequence[Span], start: int) -> int | None:
    """The lowest position in the spans that nobody holds.

    Counts rows between two positions: as many as there are positions means that all are taken. The window doubles from
    the beginning on, then halves onto the gap, so that a subnet of 2^64 addresses costs no more than what is taken.
    """

    def full(first: int, last: int) -> bool:
        between = Address.position.between(first, last)
        count = session.scalar(select(func.count()).select_from(Address).where(Address.subnet_id == subnet_id, between))
        return (count or 0) >= last - first + 1

    for first, last in ((max(low, start), min(high, ip.FAR - 1)) for low, high in spans):
        size = 64
        while first <= last:
            end = min(first + size - 1, last)
            if full(first, end):
                first, size = end + 1, size * 2
                continue
            while first < end:
                middle = (first + end) // 2
                if full(first, middle):
                    first = middle + 1
                else:
                    end = middle
            return first
    return None


def free(session: Session, allocation: Allocation, node: Named | None, actor: str) -> None:
    """The allocation has ended: its addresses are free; what is reserved by hand stays reserved."""
    held = Address.allocation_id == allocation.id
    ips = session.scalars(select(Address.ip).where(held).order_by(Address.id)).all()
    if not ips:
        return
    session.execute(delete(Address).where(held, Address.kind == "assigned"))
    session.execute(update(Address).where(held).values(allocation_id=None))
    record(session, "addresses.freed", actor, node=node, allocation=allocation, addresses=list(ips))


def reserve(
    session: Session, subnet: Subnet, text: str, interface: Interface | None, comment: str, actor: str
) -> Address:
    """Keep an address back, for good or for one interface; again changes for whom and why.

    :param subnet: held, with its ranges
    :raises Invalid: it is outside, or in a range, or the interface is not on the subnet's VLAN
    :raises Conflict: an allocation has it
    """
    address = _check_given("ip", subnet, text)
    if interface is not None and interface.vlan_id != subnet.vlan_id:
        raise Invalid("interface", interface.mac, f"the interface is not on the VLAN of subnet {subnet.name}")
    interface_id = interface.id if interface else None
    row = session.scalar(select(Address).where(Address.subnet_id == subnet.id, Address.ip == address))
    if row is None:
        row = _take(session, subnet, address, "reserved", interface_id)
    if row is None or row.kind != "reserved" or (row.allocation_id and row.interface_id != interface_id):
        raise taken(subnet, address)
    row.interface_id, row.comment = interface_id, comment
    mac = interface.mac if interface else None
    record(session, "address.reserved", actor, subnet=subnet.name, ip=address, interface=mac, comment=comment)
    return row


def give_back(session: Session, subnet: Subnet, text: str, actor: str) -> None:
    """End a reservation.

    :raises NotFound: the address is not reserved
    :raises Conflict: an allocation has it
    """
    address = str(ip.parse_address("ip", text))
    row = session.scalar(select(Address).where(Address.subnet_id == subnet.id, Address.ip == address))
    if row is None:
        raise NotFound("address", address)
    if row.allocation_id is not None:
        raise Conflict(f"{address} is held by an allocation: it is free when that is released", field="ip", value=address)
    session.delete(row)
    record(session, "address.given-back", actor, subnet=subnet.name, ip=address)
