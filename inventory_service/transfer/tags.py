"""Tags and their expressions. Which nodes have a tag that is set by hand is said by the nodes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.models import Tag
from inventory_service.tags import delete_tag, find_tag, put_tag
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work


def _tags(session: Session) -> list[Entry]:
    tags = session.scalars(select(Tag).order_by(Tag.name))
    return [{"name": one.name, "description": one.description, "expression": one.expression} for one in tags]


def _put_tag(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
    put_tag(work.session, entry["name"], work.actor, changed)


def _drop_tag(work: Work, entry: Entry) -> None:
    delete_tag(work.session, find_tag(work.session, entry["name"]), work.actor)


TAGS = Kind("tags", entries.Tag, _tags, _put_tag, _drop_tag)
