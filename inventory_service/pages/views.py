"""Pages that show what the API answers, to those who signed in."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from inventory_service.api import cookie
from inventory_service.api.authentication import by_other, caller, services
from inventory_service.api.login import browser
from inventory_service.documents.node import node_document, node_documents
from inventory_service.documents.operation import operation_document
from inventory_service.models import Event, Node, Operation, OperationLine
from inventory_service.node_records import find_visible_node
from inventory_service.operations.lookup import find_operation, whole_operation
from inventory_service.problems import Invalid, NotFound, Problem, Unauthenticated
from inventory_service.rights import OPERATE, may, visible, visible_events, visible_operations
from inventory_service.sessions import end_session, find_session
from inventory_service.sign_in import METHODS
from inventory_service.sign_in import sign_in as sign_in_by
from inventory_service.sizes import approximate_size

LATEST = 50
_OPEN_TO_ALL = ("pages.login", "pages.sign_in")

bp = APIBlueprint(
    "pages",
    __name__,
    template_folder="../templates",
    static_folder="../static",
    static_url_path="/static",
    enable_openapi=False,
)
by_other(bp, "session", "people sign in; the cookie is a session's, and changes need the session's token against forgery")


@bp.before_request
def _authenticate() -> BaseResponse | None:
    if request.endpoint in _OPEN_TO_ALL or request.endpoint == "pages.static":
        return None
    try:
        g.caller = cookie.by_cookie(services())
    except Unauthenticated:
        return redirect(url_for("pages.login"))
    return None


@bp.context_processor
def _against_forgery() -> dict[str, str]:
    return {"csrf_token": cookie.own_csrf_token(services())}


@bp.app_template_filter("size")
def _size(value: int | None) -> str:
    return approximate_size(value) if value is not None else ""


@bp.app_template_filter("moment")
def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}Z" if value else ""


@bp.get("/login")
def login() -> str:
    """The forms that take a password, or a token."""
    return render_template("pages/login.html", error=None, methods=METHODS)


@bp.post("/login")
def sign_in() -> Any:
    """Sign in."""
    said = {name: request.form.get(name, "") for name in ("user", "password", "token")}
    method = request.form.get("method") or ("token" if said["token"] else "password")
    try:
        unused, secret = sign_in_by(services(), method, said, browser())
    except (Unauthenticated, Invalid) as problem:
        return render_template("pages/login.html", error=problem.detail, methods=METHODS), 401
    response = make_response(redirect(url_for("pages.index")))
    cookie.give(services(), response, secret)
    return response


@bp.post("/logout")
def logout() -> BaseResponse:
    """Sign out."""
    who = caller()
    with services().database.write() as database:
        end_session(database, find_session(database, who, who.session_id or 0), who.actor)
    response = make_response(redirect(url_for("pages.login")))
    cookie.take_away(services(), response)
    return response


def _operations(database: Session) -> Any:
    query = select(Operation).options(*whole_operation()).order_by(Operation.created_at.desc())
    return query.where(*visible_operations(database, caller()))


@bp.get("/")
def index() -> str:
    """The nodes that one may see, and the latest operations."""
    with services().database.read() as database:
        nodes = database.scalars(select(Node.id).where(*visible(database, caller())).order_by(Node.name)).all()
        operations = database.scalars(_operations(database).limit(LATEST)).all()
        return render_template(
            "pages/index.html",
            caller=caller(),
            nodes=node_documents(database, nodes, with_bmc=False),
            operations=[operation_document(one) for one in operations],
        )


@bp.get("/nodes/<name>")
def node(name: str) -> str:
    """One node: hardware, operations, events."""
    with services().database.read() as database:
        found = find_visible_node(database, caller(), name, whole=False)
        operations = database.scalars(_operations(database).where(Operation.node_id == found.id).limit(LATEST)).all()
        events = select(Event).where(Event.node_id == found.id).order_by(Event.id.desc()).limit(LATEST)
        events = events.where(*visible_events(database, caller()))
        return render_template(
            "pages/node.html",
            caller=caller(),
            node=node_document(database, found.id, with_bmc=may(database, caller(), OPERATE, found.pool_id)),
            operations=[operation_document(one) for one in operations],
            events=database.scalars(events).all(),
        )


@bp.get("/operations/<operation_id>")
def operation(operation_id: str) -> str:
    """One operation: steps and log."""
    with services().database.read() as database:
        if database.scalar(_operations(database).where(Operation.id == operation_id)) is None:
            raise NotFound("operation", operation_id)
        lines = database.scalars(
            select(OperationLine).where(OperationLine.operation_id == operation_id).order_by(OperationLine.id)
        ).all()
        return render_template(
            "pages/operation.html",
            caller=caller(),
            operation=operation_document(find_operation(database, operation_id)),
            lines=lines,
        )


@bp.errorhandler(Problem)
def _problem(problem: Problem) -> tuple[str, int]:
    return render_template("pages/problem.html", problem=problem, caller=g.get("caller")), problem.status
