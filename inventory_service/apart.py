"""How nodes stand to one another and to those of other allocations: in the same place, spread over places, elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, not_, or_, select
from sqlalchemy.orm import Session

from inventory_service.auth import Caller
from inventory_service.constraints import listed
from inventory_service.models import NODE, NODES, Allocation, Interface, Vlan
from inventory_service.problems import Invalid

_FABRIC = (
    select(func.min(Vlan.fabric_id))
    .join(Interface, Interface.vlan_id == Vlan.id)
    .where(Interface.node_id == NODE.id)
    .correlate(NODES)
    .scalar_subquery()
)
PLACES: Mapping[str, Any] = {"zone": NODE.zone_id, "pool": NODE.pool_id, "rack": NODE.rack_id, "fabric": _FABRIC}
"""What nodes can share. A node that is on several fabrics counts as on the first of them."""


def places(field: str, value: Any) -> list[str]:
    """The places that ``same`` or ``spread`` names.

    :raises Invalid: one of them is no place
    """
    if not value:
        return []
    names = listed(field, value, "place")
    for name in names:
        if name not in PLACES:
            raise Invalid(field, value, f"{name!r} is nothing that nodes share", PLACES)
    return names


def check_alone(not_with: Any, spread: Any) -> None:
    """Refuse to spread one node that has none to be apart from.

    :raises Invalid: ``spread`` without ``not_with``
    """
    if spread and not not_with:
        raise Invalid("spread", spread, "one node alone cannot be spread: say over how many, or away from which", ["count", "not_with"])


def elsewhere(session: Session, caller: Caller, not_with: Any, spread: Any) -> list[ColumnElement[bool]]:
    """What a node has to meet that is not to be with those of other allocations: another node, which matters when the
    allocation is released already; and where ``spread`` names places, in other ones than theirs.

    :raises Invalid: no such allocation, or set, of the caller
    """
    if not not_with:
        return []
    nodes: list[int] = []
    for name in listed("not_with", not_with, "allocation"):
        nodes += _nodes_of(session, caller, name)
    others = NODE.id.in_(nodes)
    conditions: list[ColumnElement[bool]] = [not_(others)]
    for place in places("spread", spread):
        known = session.execute(select(PLACES[place]).where(others).distinct()).scalars()
        theirs = [one for one in known if one is not None]
        conditions.append(or_(PLACES[place].is_(None), PLACES[place].not_in(theirs)))
    return conditions


def _nodes_of(session: Session, caller: Caller, name: str) -> list[int]:
    """The nodes that an allocation or a set holds, or held last."""
    found = select(Allocation.node_id, Allocation.state, Allocation.set_name)
    found = found.where((Allocation.name == name) | (Allocation.set_name == name))
    if not caller.is_admin:
        found = found.where(Allocation.user_id == caller.user_id)
    rows = session.execute(found.order_by(Allocation.id.desc()).limit(1000)).all()
    if not rows:
        raise Invalid("not_with", name, f"there is no allocation {name!r}, and no set of that name", "one of yours")
    held = [row for row in rows if row.state != "released"]
    last = [row for row in rows if row.set_name == name] or rows[:1]
    return [row.node_id for row in held or last if row.node_id is not None]
