"""``interfaces``: network interfaces by what they are connected to and what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, true
from sqlalchemy.orm import Session

from inventory_service.constraints.columns import within
from inventory_service.constraints.condition import Constraint, Least
from inventory_service.constraints.entries import Entry, parse_entries
from inventory_service.constraints.matching import Demand, can_be_met
from inventory_service.constraints.networks import FINDERS, Finder
from inventory_service.constraints.words import LINK, one_of, parse_range, parse_tags, text_of
from inventory_service.models import Interface, InterfaceTag

_interface, _interface_tag = Interface.__table__.c, InterfaceTag.__table__.c
EXAMPLE = "subnet=lab speed=10G, 2 x 25G driver=mlx5_core"
_YES_NO = {"true": True, "yes": True, "up": True, "false": False, "no": False, "down": False}
_KINDS = {"physical": "physical"}


def _network(finder: Finder) -> Callable[[Session, str, Any], ColumnElement[bool]]:
    return lambda session, field, value: _interface.vlan_id.in_(finder(session, field, value))


def _speed(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    return within(_interface.speed_mbps, *parse_range(field, value, LINK))


def _driver(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    return func.lower(_interface.driver) == text_of(field, value).lower()


def _name(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    return _interface.name == text_of(field, value)


def _kind(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    one_of(field, value, _KINDS)
    return true()


def _tags(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    wanted = parse_tags(field, value)
    at = _interface_tag.interface_id == _interface.id
    return and_(*(exists().where(at, _interface_tag.tag == tag).correlate(Interface.__table__) for tag in wanted))


def _link(_session: Session, field: str, value: Any) -> ColumnElement[bool]:
    [up, *unused] = one_of(field, str(value) if isinstance(value, bool) else value, _YES_NO)
    return _interface.link.is_(up)


_KEYS: Mapping[str, Callable[[Session, str, Any], ColumnElement[bool]]] = {
    **{name: _network(finder) for name, finder in FINDERS.items()},
    "speed": _speed,
    "driver": _driver,
    "name": _name,
    "kind": _kind,
    "tag": _tags,
    "tags": _tags,
    "link": _link,
}
"""``kind`` is always physical: bonds, bridges and VLANs of an installed system are not the node's hardware."""


def _bare(word: str) -> tuple[str, Any] | None:
    return ("speed", word) if word[:1].isdigit() or word.startswith("..") else None


def interfaces(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """The node has different interfaces for all entries."""
    entries = parse_entries(field, value, _KEYS, _bare, EXAMPLE)

    def condition(entry: Entry) -> ColumnElement[bool]:
        parts = (_KEYS[key](session, f"{entry.field}.{key}", one) for key, one in entry.values.items())
        return and_(true(), *parts)

    met = can_be_met(_interface.node_id, [Demand(one.count, condition(one)) for one in entries])
    return [Constraint(name, ", ".join(str(one) for one in entries), met, Least(link_mbps=max(map(_fastest, entries))))]


def _fastest(entry: Entry) -> int:
    """How fast the node's fastest interface is at least."""
    return parse_range(f"{entry.field}.speed", entry.values["speed"], LINK).least or 0 if "speed" in entry.values else 0
