"""A tag as answers show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory_service.auth import Caller
from inventory_service.models import Node, NodeTag, Tag
from inventory_service.rights import visible


def tag_documents(session: Session, caller: Caller, tags: Sequence[Tag]) -> list[dict[str, Any]]:
    """Several tags, each with the number of nodes that have it and that the caller sees."""
    counts = dict(
        session.execute(
            select(NodeTag.tag, func.count())
            .join(Node, Node.id == NodeTag.node_id)
            .where(NodeTag.tag.in_([tag.name for tag in tags]), *visible(session, caller))
            .group_by(NodeTag.tag)
        ).all()
    )
    return [
        {
            "name": tag.name,
            "description": tag.description,
            "expression": tag.expression,
            "error": tag.error,
            "evaluated_at": tag.evaluated_at,
            "nodes": counts.get(tag.name, 0),
        }
        for tag in tags
    ]
