"""Every blueprint says who may use it; a test proves that none forgot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, current_app, g, request

from inventory_service.api.cookie import READING, by_cookie
from inventory_service.auth import Caller, caller_of
from inventory_service.problems import Forbidden
from inventory_service.services import Services

View = TypeVar("View", bound=Callable[..., Any])

NEEDS = {
    "nobody": "anybody, signed in or not",
    "anyone": "whoever has a token; answers hold only what the caller may see",
    "viewer": "whoever may see the pool of the node, or holds the node",
    "user": "whoever may acquire nodes of the pool",
    "holder": "whoever holds the allocation, or operates the pool of its node, or of one that it waits for",
    "account": "the user, by a token of scope admin or signed in; administrators for others",
    "owner": "whoever holds the allocation, and nobody for them",
    "operator": "whoever operates the pool of the node",
    "administrator": "an admin token",
    "worker": "the worker of the rack, and an admin token",
}
"""What a view may need of its caller: declared with ``needs``, proved by a test that walks all routes as each role."""
_NEED, _LOOKS = "needed role", "changes nothing"
_PEOPLE_AND_WORKERS = ("admin", "user", "worker")


@dataclass(frozen=True)
class Authentication:
    """How a blueprint authenticates: by API token and role, by the page's session, or not at all and why."""

    kind: str
    roles: tuple[str, ...] = ()
    why: str = ""


_declared: dict[str, Authentication] = {}


def authentication_of(blueprint: Blueprint) -> Authentication | None:
    """What a blueprint declared; None when it forgot."""
    return _declared.get(blueprint.name)


def services() -> Services:
    """The parts of this process."""
    parts = current_app.extensions["metalpool"]
    if not isinstance(parts, Services):
        raise TypeError("create_app() sets the services")
    return parts


def caller() -> Caller:
    """Who is asking."""
    found = g.caller
    if not isinstance(found, Caller):
        raise TypeError("the blueprint does not authenticate by token")
    return found


def need_admin() -> Caller:
    """Who is asking, when it is an administrator.

    :raises Forbidden: it is not
    """
    who = caller()
    if not who.is_admin:
        raise Forbidden("this is for administrators")
    return who


def bearer_token() -> str | None:
    """The token of the request's Authorization header (RFC 6750, section 2.1)."""
    scheme, unused, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def needs(role: str, *, changes: bool = True) -> Callable[[View], View]:
    """Declare what a view needs of its caller, one of ``NEEDS``. An admin token is asked for before the view is called.

    :param changes: whether a request that is no GET changes something
    """
    if role not in NEEDS:
        raise ValueError(role)

    def declare(view: View) -> View:
        setattr(view, _NEED, role)
        setattr(view, _LOOKS, not changes)
        return view

    return declare


def needed_role(endpoint: str | None) -> str | None:
    """What the view of an endpoint declared; None when it forgot."""
    view = current_app.view_functions.get(endpoint or "")
    role = getattr(view, _NEED, None)
    declared = _declared.get((endpoint or "").rpartition(".")[0])
    if role is None and declared is not None and "worker" in declared.roles and "user" not in declared.roles:
        return "worker"
    return role if isinstance(role, str) else None


def by_token(blueprint: Blueprint, *roles: str) -> None:
    """Only requests with a token of one of the roles (any but ``metrics`` when none is named) reach the blueprint's views."""
    allowed = roles or _PEOPLE_AND_WORKERS
    _declared[blueprint.name] = Authentication("token", allowed)

    @blueprint.before_request
    def _authenticate() -> None:
        parts, token = services(), bearer_token()
        who = caller_of(parts.database, token) if token or not request.cookies else by_cookie(parts)
        if who.role not in allowed:
            raise Forbidden(f"this is for {' and '.join(allowed)} tokens, and yours is a {who.role} token")
        g.caller = who
        if who.scope != "admin":
            _stay_in_scope(who)
        if needed_role(request.endpoint) == "administrator":
            need_admin()


def _stay_in_scope(who: Caller) -> None:
    """What a token of lesser scope is not for, whatever its user may do; the rest follows from its rights in pools."""
    view = current_app.view_functions.get(request.endpoint or "")
    if who.scope == "read" and request.method not in READING and not getattr(view, _LOOKS, False):
        raise Forbidden("this token is for reading: its scope is read", field="scope", value=who.scope)
    if getattr(view, _NEED, None) == "account":
        raise Forbidden("an account is changed by a token of scope admin, or signed in", field="scope", value=who.scope)


def by_other(blueprint: Blueprint, kind: str, why: str) -> None:
    """The blueprint needs no API token, and says why that is right."""
    _declared[blueprint.name] = Authentication(kind, (), why)
