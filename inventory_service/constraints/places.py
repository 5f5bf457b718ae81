"""Constraints on where a node is, which one it is, and its tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import exists, not_, select
from sqlalchemy.orm import Session

from inventory_service.constraints.columns import Parser, words_of
from inventory_service.constraints.condition import Constraint
from inventory_service.constraints.words import listed, parse_tags
from inventory_service.db import connection_of
from inventory_service.models import NODE, NODES, Fabric, NodeTag, Pool, Rack, Space, Zone
from inventory_service.prepared import Prepared, among
from inventory_service.problems import Invalid
from inventory_service.rights import named_nodes, named_pools

_tag = NodeTag.__table__.c
_NAMES: Mapping[type[Any], Prepared] = {
    one: Prepared(select(one.__table__.c.name, one.__table__.c.id)) for one in (Zone, Pool, Fabric, Space, Rack)
}


def ids_of(
    session: Session, table: type[Any], what: str, field: str, value: Any, named: Collection[int] | None = None
) -> tuple[int, ...]:
    """The rows that a list of names means.

    :param named: which rows may be named; None is all
    :raises Invalid: one of them is unknown
    """
    known = {name: row for name, row in _NAMES[table](connection_of(session)) if named is None or row in named}
    names = listed(field, value, what)
    for name in names:
        if name not in known:
            raise Invalid(field, value, f"there is no {what} {name!r}", sorted(known))
    return tuple(known[name] for name in names)


def none_of(parser: Parser) -> Parser:
    """The parser of the word that means the opposite."""

    def parse(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
        return [Constraint(name, one.value, not_(one.condition)) for one in parser(session, field, name, value)]

    return parse


def zone(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """In any of several zones."""
    return [Constraint(name, words_of(value), among(NODE.zone_id, ids_of(session, Zone, "zone", field, value)))]


def pool(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """In any of several pools."""
    ids = ids_of(session, Pool, "pool", field, value, named_pools(session))
    return [Constraint(name, words_of(value), among(NODE.pool_id, ids))]


def node(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """Any of several nodes by name."""
    names = listed(field, value, "node")
    known = set(session.scalars(select(NODE.name).where(NODE.name.in_(names), *named_nodes(session))))
    for one in names:
        if one not in known:
            raise Invalid(field, value, f"there is no node {one!r}", "the name of a node, as GET /api/v1/nodes lists")
    return [Constraint(name, words_of(value), NODE.name.in_(names))]


def tags(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """All of several tags."""
    return [_tagged(name, tag) for tag in parse_tags(field, value)]


@lru_cache(1024)
def _tagged(name: str, tag: str) -> Constraint:
    """Made once for the same tag: what is compiled of it is, too."""
    has_it = exists().where(_tag.node_id == NODE.id, _tag.tag == tag).correlate(NODES)
    return Constraint(name, tag, has_it, among=select(_tag.node_id).where(_tag.tag == tag))
