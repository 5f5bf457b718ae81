"""One's own account: sessions and password; administrators' for everybody."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from inventory_service.api import cookie
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.schemas.credentials import PasswordIn, Sessions, TokenFilter
from inventory_service.boot.source import limit
from inventory_service.documents.credentials import session_document
from inventory_service.models import LoginSession, Password, User
from inventory_service.passwords import hash_password, is_right, set_password
from inventory_service.people import find_user
from inventory_service.problems import Invalid, NotFound
from inventory_service.sessions import end_session, find_session

bp = APIBlueprint("accounts", __name__, url_prefix="/api/v1", tag="Users")
by_token(bp, "admin", "user")


@bp.get("/sessions")
@bp.input(TokenFilter, location="query", arg_name="wanted")
@bp.output(Sessions)
@needs("account")
def list_sessions(wanted: TokenFilter) -> dict[str, Any]:
    """Where one is signed in, the oldest first; an administrator's list is everybody's."""
    who = caller()
    query = select(LoginSession).options(joinedload(LoginSession.user)).order_by(LoginSession.id)
    query = query.where(LoginSession.id > (number(wanted.after) or 0))
    if not who.is_admin:
        query = query.where(LoginSession.user_id == who.user_id)
    if wanted.user is not None:
        query = query.where(LoginSession.user_id.in_(select(User.id).where(User.name == wanted.user)))
    with services().database.read() as session:
        rows, following = part(session, query, wanted.limit, lambda one: one.id)
    items = [session_document(one, one.user.name, current=one.id == who.session_id) for one in rows]
    return {"items": items, "next": following}


@bp.delete("/sessions/<int:session_id>")
@bp.output({}, status_code=204)
@needs("account")
def remove_session(session_id: int) -> str:
    """Sign out somewhere: from now on that session opens nothing."""
    who = caller()
    with services().database.write() as session:
        end_session(session, find_session(session, who, session_id), who.actor)
    return ""


@bp.post("/logout")
@bp.output({}, status_code=204)
@needs("anyone", changes=False)
def log_out() -> Response:
    """Sign out here. A token stays good: it is revoked."""
    who, parts = caller(), services()
    if who.session_id is not None:
        with parts.database.write() as session:
            end_session(session, find_session(session, who, who.session_id), who.actor)
    response = Response(status=204)
    cookie.take_away(parts, response)
    return response


@bp.put("/users/<name>/password")
@bp.input(PasswordIn, arg_name="wanted")
@bp.output({}, status_code=204)
@needs("account")
def put_password(name: str, wanted: PasswordIn) -> str:
    """Set a password. Everything that is signed in with that user's name is signed out, but for what asks; tokens stay."""
    who, parts = caller(), services()
    if name != who.user and not who.is_admin:
        raise NotFound("user", name)
    with parts.database.read() as session:
        user = find_user(session, name)
        kept = session.scalar(select(Password.argon2).where(Password.user_id == user.id))
    with parts.running.away():
        if name == who.user and kept is not None:
            limit("login", parts.settings.login_requests_per_minute)
            if not is_right(kept, wanted.current or ""):
                raise Invalid("current", None, "this is not the password", "the password as it is now")
        argon2 = hash_password(name, wanted.password)
    with parts.database.write() as session:
        set_password(session, find_user(session, name), argon2, who.actor, but=who.session_id)
    return ""


@bp.delete("/users/<name>/password")
@bp.output({}, status_code=204)
@needs("administrator")
def remove_password(name: str) -> str:
    """Take a password away: that user signs in by tokens alone."""
    with services().database.write() as session:
        set_password(session, find_user(session, name), None, caller().actor)
    return ""
