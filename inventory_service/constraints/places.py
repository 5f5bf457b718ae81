"""Constraints on where a node is, which one it is, and its tags."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, not_, select
from sqlalchemy.orm import Session

from inventory_service.constraints.columns import Parser, words_of
from inventory_service.constraints.condition import Constraint
from inventory_service.constraints.words import listed, parse_tags
from inventory_service.models import NODE, NODES, NodeTag, Pool, Zone
from inventory_service.problems import Invalid
from inventory_service.rights import named_nodes, named_pools

_tag = NodeTag.__table__.c


def ids_of(
    session: Session, table: type[Any], what: str, field: str, value: Any, *conditions: ColumnElement[bool]
) -> list[int]:
    """The rows that a list of names means.

    :param conditions: what a row has to meet to be named
    :raises Invalid: one of them is unknown
    """
    columns = table.__table__.c
    known: dict[str, int] = dict(session.execute(select(columns.name, columns.id).where(*conditions)).all())
    names = listed(field, value, what)
    for name in names:
        if name not in known:
            raise Invalid(field, value, f"there is no {what} {name!r}", sorted(known))
    return [known[name] for name in names]


def none_of(parser: Parser) -> Parser:
    """The parser of the word that means the opposite."""

    def parse(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
        return [Constraint(name, one.value, not_(one.condition)) for one in parser(session, field, name, value)]

    return parse


def zone(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """In any of several zones."""
    return [Constraint(name, words_of(value), NODE.zone_id.in_(ids_of(session, Zone, "zone", field, value)))]


def pool(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """In any of several pools."""
    ids = ids_of(session, Pool, "pool", field, value, *named_pools(session))
    return [Constraint(name, words_of(value), NODE.pool_id.in_(ids))]


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
    return [
        Constraint(
            name,
            tag,
            exists().where(_tag.node_id == NODE.id, _tag.tag == tag).correlate(NODES),
            among=select(_tag.node_id).where(_tag.tag == tag),
        )
        for tag in parse_tags(field, value)
    ]
