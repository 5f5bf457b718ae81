"""ETags (RFC 9110, 8.8.3 and 13): what was read is changed only as long as it is what it was.

A view of one resource is marked ``@versioned``, shows its row with ``show_version`` and, when it changes something, asks
``need_version`` first. The tag is the row's id and version (a digest of a row that counts none), which ``If-Match``
compares, and a digest of the answer, which ``If-None-Match`` compares too: an answer holds more than its row, such as
who holds a node.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import Response, g, request
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from inventory_service.db import hold
from inventory_service.models.base import Base, Versioned
from inventory_service.problems import Outdated

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "versioned"
_PARAMETERS = re.compile(r"<(?:[^:>]+:)?([^>]+)>")


def versioned(view: View) -> View:
    """The view's answer carries an ETag; stands right above ``def``."""
    setattr(view, _MARK, True)
    return view


def is_versioned(view: Callable[..., Any]) -> bool:
    """Whether a view was marked."""
    return bool(getattr(view, _MARK, False))


def _version(row: Base) -> str:
    if isinstance(row, Versioned):
        return f"{getattr(row, 'id', 0)}.{row.version}"
    return _digest(repr([getattr(row, one.key) for one in inspect(row).mapper.column_attrs]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def show_version(row: Base) -> None:
    """The answer is about this row, as it is when the request ends."""
    g.versioned_row = row


def need_version(session: Session, row: Base | None) -> None:
    """Go on only when the row is what ``If-Match`` says, if that is sent; then nobody else can change it meanwhile.

    :param row: None when there is none, which fits no tag; nothing in it may have been changed yet
    :raises Outdated: somebody has changed it, or it is not there (or is, with ``If-None-Match: *``)
    """
    if "*" in request.if_none_match and row is not None:
        raise Outdated("it is there already", field="If-None-Match", value="*")
    wanted = request.headers.get("If-Match")
    if wanted is None:
        return
    if row is not None:
        hold(session, row)
        versions = {tag.rpartition("-")[0] for tag in request.if_match.as_set()}
        if request.if_match.star_tag or _version(row) in versions:
            return
    raise Outdated(
        "it was changed by somebody else, or is not there: read it again, then decide",
        field="If-Match",
        value=wanted,
    )


def send_version(response: Response) -> Response:
    """Give the answer its ETag; a GET whose ETag the client has already is answered 304."""
    row = g.pop("versioned_row", None)
    if row is None or response.status_code not in (200, 201, 202):
        return response
    response.set_etag(f"{_version(row)}-{_digest(response.get_data())}")
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method == "GET":
        response.make_conditional(request)
    return response


def describe_versions(app: APIFlask, spec: Any) -> Any:
    """Say in the API's document which answers carry an ETag and which requests may be conditional."""
    for rule in app.url_map.iter_rules():
        if not is_versioned(app.view_functions[rule.endpoint]):
            continue
        methods = spec["paths"].get(_PARAMETERS.sub(r"{\1}", rule.rule), {})
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            _describe(method, methods[method.lower()])
    return spec


def _describe(method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if status in ("200", "201"):
            answer.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}, "description": "its version"}
    names = ("If-None-Match",) if method == "GET" else ("If-Match",)
    operation.setdefault("parameters", []).extend(
        {"in": "header", "name": name, "required": False, "schema": {"type": "string"}} for name in names
    )
    if method == "GET":
        operation["responses"]["304"] = {"description": "It has not changed since the ETag of If-None-Match."}
    else:
        operation["responses"]["412"] = {"description": "It has changed since the ETag of If-Match; nothing was done."}
