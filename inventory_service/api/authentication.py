"""Every blueprint says who may use it; a test proves that none forgot."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, current_app, g, request

from inventory_service.auth import ROLES, Caller, caller_of
from inventory_service.problems import Forbidden
from inventory_service.services import Services


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


def by_token(blueprint: Blueprint, *roles: str) -> None:
    """Only requests with a token of one of the roles (any role when none is named) reach the blueprint's views."""
    allowed = roles or ROLES
    _declared[blueprint.name] = Authentication("token", allowed)

    @blueprint.before_request
    def _authenticate() -> None:
        who = caller_of(services().database, bearer_token())
        if who.role not in allowed:
            raise Forbidden(f"this is for {' and '.join(allowed)} tokens, and yours is a {who.role} token")
        g.caller = who


def by_other(blueprint: Blueprint, kind: str, why: str) -> None:
    """The blueprint needs no API token, and says why that is right."""
    _declared[blueprint.name] = Authentication(kind, (), why)
