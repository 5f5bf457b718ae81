"""The cookie of those who signed in, and what keeps other sites from using it."""

from __future__ import annotations

from flask import Response, request

from inventory_service.auth import Caller
from inventory_service.problems import Forbidden
from inventory_service.services import Services
from inventory_service.sessions import csrf_token, is_csrf_token, signed_in

HEADER, FIELD = "X-CSRF-Token", "csrf_token"
READING = ("GET", "HEAD", "OPTIONS")


def _name(services: Services) -> str:
    # The prefix makes browsers refuse one that another host, or a request without TLS, has set (RFC 6265bis, 4.1.3.2).
    return "__Host-metalpool" if services.settings.tls else "metalpool"


def secret_of(services: Services) -> str | None:
    """What the request's cookie says."""
    return request.cookies.get(_name(services))


def by_cookie(services: Services) -> Caller:
    """Who signed in; a change needs the token against forgery as well.

    :raises Unauthenticated: nobody
    :raises Forbidden: the change may have been asked for by another site
    """
    secret = secret_of(services)
    who = signed_in(services.database, services.settings, secret)
    if request.method not in READING:
        need_this_site()
        said = request.headers.get(HEADER) or request.form.get(FIELD) or ""
        if not is_csrf_token(secret or "", said):
            raise Forbidden(f"a change that is made signed in needs the session's token against forgery: header {HEADER}", field=HEADER)
    return who


def need_this_site() -> None:
    """Refuse what the browser says another site asks for: signing somebody in as somebody else is a forgery, too.

    :raises Forbidden: it does
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("another site asks for this", field="Sec-Fetch-Site")


def own_csrf_token(services: Services) -> str:
    """The token against forgery of the session that the request is in."""
    return csrf_token(secret_of(services) or "")


def give(services: Services, response: Response, secret: str) -> None:
    """Let the browser keep a session's secret until it is closed; no script reads it, and no other site's form sends it."""
    response.set_cookie(_name(services), secret, httponly=True, secure=services.settings.tls, samesite="Lax", path="/")


def take_away(services: Services, response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(_name(services), httponly=True, secure=services.settings.tls, samesite="Lax", path="/")
