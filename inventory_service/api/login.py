"""Signing in: the only views of the API that ask for nobody."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from inventory_service.api import cookie
from inventory_service.api.authentication import by_other, needs, services
from inventory_service.api.schemas.credentials import LoginIn, LoginMethods, NewSession
from inventory_service.boot.source import limit, source_address
from inventory_service.documents.credentials import session_document
from inventory_service.models import User
from inventory_service.sessions import csrf_token
from inventory_service.sign_in import METHODS, Browser, sign_in

bp = APIBlueprint("login", __name__, url_prefix="/api/v1", tag="Users")
by_other(bp, "open", "whoever signs in has nothing yet to show who it is; how often a source may try is limited")


def browser() -> Browser:
    """Where the request comes from; each source may try so often in a minute.

    :raises TooMany: it did
    :raises Forbidden: another site asks for it
    """
    cookie.need_this_site()
    limit("login", services().settings.login_requests_per_minute)
    return Browser(source_address(), request.headers.get("User-Agent", ""), cookie.secret_of(services()))


@bp.get("/login")
@bp.output(LoginMethods)
@needs("nobody")
def list_methods() -> dict[str, Any]:
    """The ways to sign in."""
    return {"methods": [{"name": name, "label": one.label, "fields": list(one.fields)} for name, one in METHODS.items()]}


@bp.post("/login")
@bp.input(LoginIn, arg_name="wanted")
@bp.output(NewSession)
@needs("nobody")
def log_in(wanted: LoginIn) -> Response:
    """Sign in: the answer sets a cookie, and has the token that changes need beside it."""
    parts = services()
    begun, secret = sign_in(parts, wanted.method, wanted.model_dump(exclude={"method"}), browser())
    with parts.database.read() as session:
        user = session.get_one(User, begun.user_id).name
    response = jsonify(session_document(begun, user, current=True) | {"csrf_token": csrf_token(secret)})
    cookie.give(parts, response, secret)
    return response
