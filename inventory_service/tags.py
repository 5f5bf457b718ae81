"""Tags as records: set by hand on nodes, or defined by an expression that ``tag_rules.py`` keeps up to date.

A name belongs to people or to its expression, never to both: as long as a tag has an expression, nobody sets it by hand.
When it gets one, the expression decides about the nodes that have it already; when it loses it, they keep it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.auth import check_name
from inventory_service.db import touch
from inventory_service.events import record
from inventory_service.expressions import CHANGING, check_expression
from inventory_service.models import Node, NodeTag, Tag
from inventory_service.problems import Invalid, NotFound

RULES_DUE = "rules due"
"""The topic that wakes whoever keeps the tags of expressions up to date."""


def rules_due(session: Session, node: Node) -> None:
    """Something about the node changed that expressions may look at."""
    node.rules_due_at = clock.now()
    touch(session, RULES_DUE)


def find_tag(session: Session, name: str) -> Tag:
    """The tag of that name.

    :raises NotFound: there is none
    """
    tag = session.scalar(select(Tag).where(Tag.name == name))
    if tag is None:
        raise NotFound("tag", name)
    return tag


def ensure_tags(session: Session, names: Collection[str], actor: str) -> None:
    """Make the tags that people set by hand known; those that are stay as they are."""
    known = set(session.scalars(select(Tag.name).where(Tag.name.in_(names))))
    for name in sorted(set(names) - known):
        session.add(Tag(name=check_name("tags", name), description="", expression=None, error=None, evaluated_at=None))
        record(session, "tag.added", actor, tag=name)


def check_by_hand(session: Session, names: Collection[str]) -> None:
    """Refuse to set tags by hand that an expression defines.

    :raises Invalid: names the first of them
    """
    query = select(Tag.name).where(Tag.name.in_(names), Tag.expression.is_not(None)).order_by(Tag.name)
    for name in session.scalars(query):
        raise Invalid("tags", name, f"the expression of tag {name!r} says which nodes have it, not people")


def put_tag(session: Session, name: str, actor: str, changes: dict[str, str | None]) -> Tag:
    """Make a tag, or change the one of that name.

    :param changes: ``description`` and ``expression``, where they are to change; without an expression, it is set by hand
    :raises Invalid: it is no expression, or looks at what changes while a node is in use
    """
    if changes.get("expression"):
        check_expression("expression", changes["expression"] or "", without=CHANGING)
    tag = session.scalar(select(Tag).where(Tag.name == name))
    before = {"description": "", "expression": None}
    if tag is None:
        tag = Tag(name=check_name("name", name), description="", expression=None, error=None, evaluated_at=None)
        session.add(tag)
        record(session, "tag.added", actor, tag=name)
    else:
        before = {"description": tag.description, "expression": tag.expression}
    if "description" in changes:
        tag.description = changes["description"] or ""
    if "expression" in changes and (changes["expression"] or None) != tag.expression:
        tag.expression = changes["expression"] or None
        tag.error = tag.evaluated_at = None
        if tag.expression is None:
            session.execute(update(NodeTag).where(NodeTag.tag == name).values(by_rule=False))
        touch(session, RULES_DUE)
    after = {"description": tag.description, "expression": tag.expression}
    changed = {key: value for key, value in after.items() if value != before[key]}
    if changed:
        record(session, "tag.changed", actor, tag=name, changed=changed)
    session.flush()
    return tag


def delete_tag(session: Session, tag: Tag, actor: str) -> None:
    """Forget a tag, and take it off all nodes."""
    had = session.scalars(delete(NodeTag).where(NodeTag.tag == tag.name).returning(NodeTag.node_id)).all()
    count_change(session, had)
    record(session, "tag.deleted", actor, tag=tag.name, expression=tag.expression, nodes=len(had))
    session.delete(tag)


def count_change(session: Session, node_ids: Sequence[int]) -> None:
    """Tags of these nodes changed: their versions grow, without loading them."""
    table = Node.__table__
    for start in range(0, len(node_ids), 1000):
        some = table.c.id.in_(node_ids[start : start + 1000])
        session.execute(update(table).where(some).values(version=table.c.version + 1))  # type: ignore[arg-type]
