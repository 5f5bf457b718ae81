"""Who is signed in: sessions are rows, so that they are listed, and end at once wherever they are used."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session, joinedload

from inventory_service import clock
from inventory_service.auth import Caller, effective_role
from inventory_service.config import Settings
from inventory_service.db import Database
from inventory_service.events import record
from inventory_service.models import LoginSession, Rack, Token, User
from inventory_service.prepared import Prepared
from inventory_service.problems import NotFound, Unauthenticated
from inventory_service.secret_tokens import digest, new_token

_SEEN_AGAIN = timedelta(seconds=60)
_HIGHEST = (1 << 63) - 1
_session, _user, _token, _rack = (one.__table__.c for one in (LoginSession, User, Token, Rack))
_FOUND = Prepared(
    select(
        _session.id,
        _session.user_id,
        _session.token_id,
        _session.expires_at,
        _session.last_used_at,
        _user.name,
        _user.administrator,
        _token.role,
        _token.scope,
        _token.rack_id,
        _token.expires_at,
        _rack.name,
    )
    .join_from(LoginSession.__table__, User.__table__, _user.id == _session.user_id)
    .outerjoin(Token.__table__, _token.id == _session.token_id)
    .outerjoin(Rack.__table__, _rack.id == _token.rack_id)
    .where(_session.sha256 == bindparam("digest"), _user.disabled_at.is_(None), _token.revoked_at.is_(None))
)


class _Found(NamedTuple):
    """What ``_FOUND`` tells."""

    id: int
    user_id: int
    token_id: int | None
    expires_at: datetime
    last_used_at: datetime
    user: str
    administrator: bool
    role: str | None
    scope: str | None
    rack_id: int | None
    token_expires_at: datetime | None
    rack: str | None


def begin_session(
    session: Session, settings: Settings, user: User, method: str, *, token_id: int | None, address: str, agent: str, before: str | None
) -> tuple[LoginSession, str]:
    """Sign somebody in; the secret is the cookie's, and new at each sign-in: what was in the browser before opens nothing.

    :param before: the secret of a session that this browser had
    """
    now = clock.now()
    if before:
        session.execute(delete(LoginSession).where(LoginSession.sha256 == digest(before)))
    secret = new_token()
    begun = LoginSession(
        user_id=user.id,
        token_id=token_id,
        sha256=digest(secret),
        method=method,
        address=address,
        agent="".join(one for one in agent if one.isprintable())[:200],
        created_at=now,
        expires_at=now + timedelta(seconds=settings.session_seconds),
        last_used_at=now,
    )
    session.add(begun)
    session.flush()
    record(session, "session.began", user.name, user=user.name, number=begun.id, method=method, address=address)
    return begun, secret


def signed_in(database: Database, settings: Settings, secret: str | None) -> Caller:
    """Whose session a cookie is of.

    :raises Unauthenticated: of none, or of one that has ended
    """
    now = clock.now()
    rows = []
    if secret:
        with database.look() as connection:
            rows = list(_FOUND(connection, {"digest": digest(secret)}))
    found = _Found(*rows[0]) if rows else None
    if (
        found is None
        or found.expires_at <= now
        or found.last_used_at + timedelta(seconds=settings.session_idle_seconds) <= now
        or (found.token_expires_at and found.token_expires_at <= now)
    ):
        raise Unauthenticated("sign in")
    if now - found.last_used_at > _SEEN_AGAIN:
        with database.write() as session:
            session.execute(
                update(LoginSession)
                .where(LoginSession.id == found.id, LoginSession.last_used_at < now - _SEEN_AGAIN)
                .values(last_used_at=now)
            )
    role = found.role or ("admin" if found.administrator else "user")
    scope = found.scope or "admin"
    administrator = role == "admin" and found.administrator
    return Caller(
        user_id=found.user_id,
        user=found.user,
        role=effective_role(role, scope, administrator=administrator),
        token_id=found.token_id,
        rack_id=found.rack_id,
        rack=found.rack,
        scope=scope,
        administrator=administrator,
        session_id=found.id,
    )


def csrf_token(secret: str) -> str:
    """What a page that was made for a session knows, and no other site: it goes with every change that the cookie lets do."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_csrf_token(secret: str, said: str) -> bool:
    """Whether it is that one, in constant time."""
    return hmac.compare_digest(csrf_token(secret).encode(), said.encode())


def find_session(session: Session, caller: Caller, number: int) -> LoginSession:
    """The session of that number: one's own, an administrator's anybody's.

    :raises NotFound: there is none for the caller
    """
    query = select(LoginSession).where(LoginSession.id == min(number, _HIGHEST)).options(joinedload(LoginSession.user))
    if not caller.is_admin:
        query = query.where(LoginSession.user_id == caller.user_id)
    found = session.scalar(query)
    if found is None:
        raise NotFound("session", number)
    return found


def end_session(session: Session, ended: LoginSession, actor: str) -> None:
    """Sign somebody out."""
    record(session, "session.ended", actor, user=ended.user.name, number=ended.id)
    session.delete(ended)


def sweep(session: Session, settings: Settings) -> None:
    """Forget the sessions that are over."""
    now = clock.now()
    idle = LoginSession.last_used_at <= now - timedelta(seconds=settings.session_idle_seconds)
    session.execute(delete(LoginSession).where(or_(LoginSession.expires_at <= now, idle)))
