"""Constraints on the networks that a node is on: each name leads to VLANs, and an interface has to be on one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from inventory_service.constraints.columns import Parser, words_of
from inventory_service.constraints.condition import Constraint
from inventory_service.constraints.places import ids_of
from inventory_service.constraints.words import listed
from inventory_service.models import NODE, NODES, Fabric, Interface, Space, Subnet, Vlan
from inventory_service.problems import Invalid

_interface = Interface.__table__.c
Finder = Callable[[Session, str, Any], list[int]]
"""The ids of the VLANs that a value means: (session, field for errors, value)."""


def _vlans_of_fabric(session: Session, field: str, value: Any) -> list[int]:
    fabrics = ids_of(session, Fabric, "fabric", field, value)
    return list(session.scalars(select(Vlan.id).where(Vlan.fabric_id.in_(fabrics))))


def _vlans_of_space(session: Session, field: str, value: Any) -> list[int]:
    spaces = ids_of(session, Space, "space", field, value)
    return list(session.scalars(select(Vlan.id).where(Vlan.space_id.in_(spaces))))


def _vlans_of_subnet(session: Session, field: str, value: Any) -> list[int]:
    known = session.execute(select(Subnet.name, Subnet.cidr, Subnet.vlan_id)).all()
    found: list[int] = []
    for word in listed(field, value, "subnet"):
        matching = [vlan_id for name, cidr, vlan_id in known if word in (name, cidr)]
        if not matching:
            raise Invalid(field, value, f"there is no subnet {word!r}", sorted(one.name for one in known))
        found += matching
    return found


def _vlans(session: Session, field: str, value: Any) -> list[int]:
    known = session.execute(select(Vlan.name, Vlan.vid, Vlan.id)).all()
    found: list[int] = []
    for word in listed(field, value, "vlan"):
        matching = [id_ for name, vid, id_ in known if word in (name, str(vid))]
        if not matching:
            raise Invalid(field, value, f"there is no VLAN {word!r}", sorted(one.name for one in known))
        found += matching
    return found


FINDERS: dict[str, Finder] = {
    "fabric": _vlans_of_fabric,
    "space": _vlans_of_space,
    "subnet": _vlans_of_subnet,
    "vlan": _vlans,
}
"""Subnets by name or CIDR, VLANs by name or number, the others by name; each any of several."""


def on(finder: Finder) -> Parser:
    """The parser of a word that asks for an interface on any of some networks."""

    def parse(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
        vlans = finder(session, field, value)
        on_them = _interface.vlan_id.in_(vlans)
        there = exists().where(_interface.node_id == NODE.id, on_them).correlate(NODES)
        return [Constraint(name, words_of(value), there, among=select(_interface.node_id).where(on_them))]

    return parse
