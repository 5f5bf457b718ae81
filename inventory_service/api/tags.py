"""Tags: described, set by hand, or defined by an expression over the facts of nodes."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import part
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.tags import Tag as TagOut
from inventory_service.api.schemas.tags import TagIn, Tags
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.tag import tag_documents
from inventory_service.models import Tag
from inventory_service.tags import delete_tag, find_tag, put_tag

bp = APIBlueprint("tags", __name__, url_prefix="/api/v1", tag="Nodes")
by_token(bp, "admin", "user")


@bp.get("/tags")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Tags)
@needs("anyone")
def list_tags(page: Page) -> dict[str, Any]:
    """The tags, by name, and how many nodes that the caller sees have them."""
    query = select(Tag).order_by(Tag.name)
    with services().database.read() as session:
        query = query.where(Tag.name > page.after) if page.after else query
        rows, following = part(session, query, page.limit, lambda one: one.name)
        return {"items": tag_documents(session, caller(), rows), "next": following}


@bp.get("/tags/<name>")
@bp.output(TagOut)
@needs("anyone")
@versioned
def show_tag(name: str) -> dict[str, Any]:
    """Show one tag; `evaluated_at` is null while an expression is yet to be applied to all nodes."""
    with services().database.read() as session:
        tag = find_tag(session, name)
        show_version(tag)
        return tag_documents(session, caller(), [tag])[0]


@bp.put("/tags/<name>")
@bp.input(TagIn, arg_name="wanted")
@bp.output(TagOut)
@needs("administrator")
@versioned
def change_tag(name: str, wanted: TagIn) -> dict[str, Any]:
    """Make a tag, or change the one of that name. A new expression is applied to all nodes in the background."""
    with services().database.write() as session:
        need_version(session, session.scalar(select(Tag).where(Tag.name == name)))
        tag = put_tag(session, name, caller().actor, wanted.model_dump(exclude_unset=True))
        show_version(tag)
        return tag_documents(session, caller(), [tag])[0]


@bp.delete("/tags/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_tag(name: str) -> str:
    """Forget a tag, and take it off all nodes."""
    with services().database.write() as session:
        tag = find_tag(session, name)
        need_version(session, tag)
        delete_tag(session, tag, caller().actor)
    return ""
