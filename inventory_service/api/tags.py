"""Tags: described, set by hand, or defined by an expression over the facts of nodes."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.tags import Tag as TagOut
from inventory_service.api.schemas.tags import TagIn, Tags
from inventory_service.documents.tag import tag_documents
from inventory_service.models import Tag
from inventory_service.tags import delete_tag, put_tag

bp = APIBlueprint("tags", __name__, url_prefix="/api/v1", tag="Nodes")
by_token(bp, "admin", "user")


def _put(session: Session, name: str, values: dict[str, Any], actor: str) -> None:
    put_tag(session, name, actor, values)


add_views(
    bp,
    Records(
        "tag", "tags", Tag, TagOut, Tags,
        lambda session, row: tag_documents(session, caller(), [row])[0],
        listed=lambda session, rows: tag_documents(session, caller(), rows),
        change=TagIn, put=_put, remove=delete_tag,
        lists="The tags, by name, and how many nodes that the caller sees have them.",
        shows="Show one tag; `evaluated_at` is null while an expression is yet to be applied to all nodes.",
        puts="Make a tag, or change the one of that name. A new expression is applied to all nodes in the background.",
        removes="Forget a tag, and take it off all nodes.",
    ),
)  # fmt: skip
