"""Parts of lists: one row more than asked for tells whether there is a next part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from flask import Response
from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import Select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import caller
from inventory_service.api.schemas.common import Selection
from inventory_service.filters import Listed
from inventory_service.problems import Invalid
from inventory_service.rights import let_ask

T = TypeVar("T")
_DIGITS = 18
"""So many fit into the databases' integers."""


def part(session: Session, query: Select[T], limit: int, cursor: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """So many rows of a query, and the cursor of the next part."""
    rows = session.scalars(query.limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(cursor(rows[limit - 1]))


def selected(session: Session, listed: Listed, query: Select[T], wanted: Selection) -> tuple[Sequence[T], str | None]:
    """The rows of a query that were selected, in the order that was asked for, and the cursor of the next part.

    :raises Invalid: filter, order or cursor mean nothing
    """
    let_ask(session, caller())
    order = listed.sorted_by(wanted.sort)
    terms = listed.terms(wanted.filter, wanted.model_dump())
    query = query.where(*listed.where(session, terms)).order_by(*order.clauses)
    if wanted.after:
        query = query.where(order.behind(wanted.after))
    rows = session.execute(query.add_columns(*order.columns).limit(wanted.limit + 1)).all()
    following = order.cursor(rows[wanted.limit - 1][1:]) if len(rows) > wanted.limit else None
    return [row[0] for row in rows[: wanted.limit]], following


def fields_of(model: type[BaseModel], text: str | None) -> tuple[str, ...] | None:
    """The members of an answer's items that were asked for; None is all.

    :raises Invalid: one of them is none
    """
    if not text:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in model.model_fields:
            raise Invalid("fields", name, f"{name!r} is no member of it", model.model_fields)
    return names


def answer(
    model: type[BaseModel], items: Sequence[Mapping[str, Any]], fields: tuple[str, ...] | None, following: str | None
) -> dict[str, Any] | Response:
    """A part of a list, with some members of its items or all."""
    document = {"items": items, "next": following}
    if fields is None:
        return document
    checked = _with_fields(model, fields).model_validate(document)
    return Response(checked.model_dump_json() + "\n", mimetype="application/json")


@lru_cache(maxsize=64)
def _with_fields(model: type[BaseModel], fields: tuple[str, ...]) -> type[BaseModel]:
    """The schema of a part of a list whose items have these members alone."""
    members: dict[str, Any] = {name: (model.model_fields[name].annotation, ...) for name in fields}
    item = create_model(f"{model.__name__}Fields", __config__=ConfigDict(extra="ignore"), **members)
    several: Any = list[item]  # type: ignore[valid-type]
    return create_model(f"{model.__name__}Part", items=(several, ...), next=(str | None, ...))


def number(after: str | None) -> int | None:
    """A cursor that is a number.

    :raises Invalid: it is none
    """
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > _DIGITS:
        raise Invalid("after", after, f"{after!r} is not a cursor", "the next of the answer before")
    return int(after)
