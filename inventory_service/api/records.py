"""The views of records that have a name, the same for every kind: list, show, set, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ExecutableOption

from inventory_service.api.authentication import caller, needs, services
from inventory_service.api.lists import part
from inventory_service.api.schemas.common import Page
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.problems import NotFound

Document = dict[str, Any]


@dataclass(frozen=True)
class Records:
    """One kind of record, and the rules that its views call.

    :param one: what one is called
    :param many: what several are called, in the path as well
    :param answer: the schema of one
    :param answers: the schema of a part of the list
    :param document: a row, loaded with ``whole``, as one is shown
    :param listed: rows as the list shows them; as one is shown when it is not given
    :param whole: what is loaded with a row
    :param visible: what a row has to meet to exist for the caller
    :param reader: who may show one
    :param lister: who may list them
    :param change: the schema of what can be set; None when they cannot be set by name
    :param put: makes the record of that name or changes it: session, name, what was given, actor
    :param remove: deletes a row: session, row, actor; None when they are not deleted
    :param puts: what setting one does, for the API's document
    :param removes: what deleting one does
    """

    one: str
    many: str
    model: type[Any]
    answer: type[BaseModel]
    answers: type[BaseModel]
    document: Callable[[Session, Any], Document]
    listed: Callable[[Session, Sequence[Any]], list[Document]] | None = None
    whole: Sequence[ExecutableOption] = ()
    visible: Callable[[Session], list[ColumnElement[bool]]] = lambda _session: []
    reader: str = "anyone"
    lister: str = "anyone"
    change: type[BaseModel] | None = None
    put: Callable[[Session, str, Document, str], Any] | None = None
    remove: Callable[[Session, Any, str], None] | None = None
    lists: str = ""
    shows: str = ""
    puts: str = ""
    removes: str = ""

    def query(self, session: Session) -> Select[Any]:
        """All that the caller may see."""
        return select(self.model).where(*self.visible(session)).options(*self.whole)

    def find(self, session: Session, name: str) -> Any:
        """The one of that name.

        :raises NotFound: there is none for the caller
        """
        named = self.query(session).where(self.model.name == name).execution_options(populate_existing=True)
        found = session.scalar(named)
        if found is None:
            raise NotFound(self.one, name)
        return found


def add_views(bp: APIBlueprint, *kinds: Records) -> None:
    """Give a blueprint the views of these kinds."""
    for kind in kinds:
        _add_list(bp, kind)
        _add_show(bp, kind)
        if kind.put is not None and kind.change is not None:
            _add_put(bp, kind, kind.put, kind.change)
        if kind.remove is not None:
            _add_remove(bp, kind, kind.remove)


def _add_list(bp: APIBlueprint, kind: Records) -> None:
    @bp.get(f"/{kind.many}", endpoint=f"list_{kind.many}")
    @bp.input(Page, location="query", arg_name="page")
    @bp.output(kind.answers)
    @bp.doc(summary=kind.lists or f"The {kind.many}, by name.")
    @needs(kind.lister)
    def list_them(page: Page) -> Document:
        with services().database.read() as session:
            query = kind.query(session).order_by(kind.model.name)
            query = query.where(kind.model.name > page.after) if page.after else query
            rows, following = part(session, query, page.limit, lambda one: one.name)
            items = kind.listed(session, rows) if kind.listed else [kind.document(session, one) for one in rows]
            return {"items": items, "next": following}


def _add_show(bp: APIBlueprint, kind: Records) -> None:
    @bp.get(f"/{kind.many}/<name>", endpoint=f"show_{kind.one}")
    @bp.output(kind.answer)
    @bp.doc(summary=kind.shows or f"Show one {kind.one}.")
    @needs(kind.reader)
    @versioned
    def show_it(name: str) -> Document:
        with services().database.read() as session:
            row = kind.find(session, name)
            show_version(row)
            return kind.document(session, row)


def _add_put(
    bp: APIBlueprint, kind: Records, put: Callable[[Session, str, Document, str], Any], change: type[BaseModel]
) -> None:
    @bp.put(f"/{kind.many}/<name>", endpoint=f"put_{kind.one}")
    @bp.input(change, arg_name="wanted")
    @bp.output(kind.answer)
    @bp.doc(summary=kind.puts or f"Set a {kind.one}; it is made when there is none of that name.",
            responses={201: "There was none of that name; it is made."})  # fmt: skip
    @needs("administrator")
    @versioned
    def put_it(name: str, wanted: Any) -> tuple[Document, int]:
        who = caller()
        with services().database.write() as session:
            known = session.scalar(select(kind.model).where(kind.model.name == name))
            need_version(session, known)
            put(session, name, wanted.model_dump(exclude_unset=True), who.actor)
            session.flush()
            row = kind.find(session, name)
            show_version(row)
            return kind.document(session, row), 200 if known is not None else 201


def _add_remove(bp: APIBlueprint, kind: Records, remove: Callable[[Session, Any, str], None]) -> None:
    @bp.delete(f"/{kind.many}/<name>", endpoint=f"remove_{kind.one}")
    @bp.output({}, status_code=204)
    @bp.doc(summary=kind.removes)
    @needs("administrator")
    @versioned
    def remove_it(name: str) -> str:
        who = caller()
        with services().database.write() as session:
            row = kind.find(session, name)
            need_version(session, row)
            remove(session, row, who.actor)
        return ""
