"""Pages that show what the API answers; a token signs in, and every page asks whether it still opens the door."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g, redirect, render_template, request, session, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response as BaseResponse

from inventory_service.api.authentication import by_other, caller, services
from inventory_service.auth import Caller, caller_of
from inventory_service.boot.source import limit
from inventory_service.documents.node import node_document, node_documents
from inventory_service.documents.operation import operation_document
from inventory_service.models import Event, Node, Operation, OperationLine, Token
from inventory_service.node_records import find_visible_node
from inventory_service.operations.lookup import find_operation, whole_operation
from inventory_service.problems import NotFound, Problem, Unauthenticated
from inventory_service.rights import OPERATE, may, visible, visible_events, visible_operations
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
by_other(bp, "session", "people sign in with a token; the cookie holds the token's number, signed, not the token")


@bp.before_request
def _authenticate() -> BaseResponse | None:
    if request.endpoint in _OPEN_TO_ALL or request.endpoint == "pages.static":
        return None
    try:
        g.caller = _signed_in()
    except Unauthenticated:
        return redirect(url_for("pages.login"))
    return None


def _signed_in() -> Caller:
    """Whose cookie it is, as long as the token that signed in is valid."""
    from inventory_service import clock

    with services().database.read() as database:
        token = database.scalar(
            select(Token)
            .where(Token.id == session.get("token", 0))
            .options(joinedload(Token.user), joinedload(Token.rack))
        )
    if token is None or token.revoked_at or (token.expires_at and token.expires_at <= clock.now()):
        raise Unauthenticated("sign in")
    rack = token.rack.name if token.rack else None
    return Caller(token.user_id, token.user.name, token.role, token.id, token.rack_id, rack)


@bp.app_template_filter("size")
def _size(value: int | None) -> str:
    return approximate_size(value) if value is not None else ""


@bp.app_template_filter("moment")
def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}Z" if value else ""


@bp.get("/login")
def login() -> str:
    """The form that takes a token."""
    return render_template("pages/login.html", error=None)


@bp.post("/login")
def sign_in() -> Any:
    """Sign in with a token."""
    limit("login", services().settings.login_requests_per_minute)
    try:
        who = caller_of(services().database, request.form.get("token", "").strip())
    except Unauthenticated as problem:
        return render_template("pages/login.html", error=problem.detail), 401
    session.clear()
    session["token"] = who.token_id
    return redirect(url_for("pages.index"))


@bp.post("/logout")
def logout() -> BaseResponse:
    """Sign out."""
    session.clear()
    return redirect(url_for("pages.login"))


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
