"""Users, API tokens, roles: who is asking, and what follows from it. Knows nothing of HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import Database
from inventory_service.events import record
from inventory_service.models import Rack, Token, User
from inventory_service.prepared import Prepared
from inventory_service.problems import Forbidden, Invalid, NotFound, Unauthenticated
from inventory_service.secret_tokens import digest, new_token

ROLES = ("admin", "user", "worker", "metrics")
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
NAME_RULE = "1 to 63 of a-z, 0-9, '-', '.' and '_', a letter or digit first and last"
_SEEN_AGAIN = timedelta(seconds=60)
_token, _user, _rack = Token.__table__.c, User.__table__.c, Rack.__table__.c
_TOKEN = Prepared(
    select(
        _token.id,
        _token.user_id,
        _token.role,
        _token.rack_id,
        _token.revoked_at,
        _token.expires_at,
        _token.last_used_at,
        _user.name,
        _rack.name,
    )
    .join_from(Token.__table__, User.__table__, _user.id == _token.user_id)
    .outerjoin(Rack.__table__, _rack.id == _token.rack_id)
    .where(_token.sha256 == bindparam("digest"))
)
"""Every request asks it."""


class _Token(NamedTuple):
    """What ``_TOKEN`` tells."""

    id: int
    user_id: int
    role: str
    rack_id: int | None
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    user: str
    rack: str | None


@dataclass(frozen=True)
class Caller:
    """Who is asking, as far as a token proves it.

    ``kept_rights`` is where ``rights.rights_of`` keeps what it found, so that one request asks once.
    """

    user_id: int
    user: str
    role: str
    token_id: int
    rack_id: int | None = None
    rack: str | None = None
    kept_rights: list[Any] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def actor(self) -> str:
        """How events call the caller."""
        return f"worker {self.rack}" if self.role == "worker" else self.user

    def need_rack(self, rack: str) -> None:
        """Only an administrator and the rack's own worker may speak for a rack."""
        if not (self.is_admin or (self.role == "worker" and self.rack == rack)):
            raise Forbidden(f"this token does not belong to the worker of rack {rack}")


def check_name(field: str, name: str) -> str:
    """A name for people and URLs.

    :raises Invalid: it is none
    """
    if not NAME.fullmatch(name):
        raise Invalid(field, name, f"{name!r} is not a name", NAME_RULE)
    return name


def caller_of(database: Database, secret: str | None) -> Caller:
    """Whom an API token belongs to.

    :raises Unauthenticated: no token, or one that is unknown, revoked or expired
    """
    if not secret:
        raise Unauthenticated("send the header Authorization: Bearer <API token>")
    now = clock.now()
    with database.look() as connection:
        found = _TOKEN(connection, {"digest": digest(secret)})
    token = _Token(*found[0]) if found else None
    if token is None or token.revoked_at or (token.expires_at and token.expires_at <= now):
        raise Unauthenticated("this API token is unknown, revoked or expired")
    if token.last_used_at is None or now - token.last_used_at > _SEEN_AGAIN:
        with database.write() as session:
            session.execute(update(Token).where(Token.id == token.id).values(last_used_at=now))
            if token.rack_id:
                session.execute(update(Rack).where(Rack.id == token.rack_id).values(last_seen_at=now))
    return Caller(
        user_id=token.user_id,
        user=token.user,
        role=token.role,
        token_id=token.id,
        rack_id=token.rack_id,
        rack=token.rack,
    )


def ensure_user(session: Session, name: str, actor: str) -> User:
    """The user of that name; made when there is none."""
    user = session.scalar(select(User).where(User.name == check_name("user", name)))
    if user is None:
        user = User(name=name, created_at=clock.now())
        session.add(user)
        session.flush()
        record(session, "user.added", actor, user=name)
    return user


def ensure_rack(session: Session, name: str, actor: str) -> Rack:
    """The rack of that name; made when there is none."""
    rack = session.scalar(select(Rack).where(Rack.name == check_name("rack", name)))
    if rack is None:
        rack = Rack(name=name, last_seen_at=None)
        session.add(rack)
        session.flush()
        record(session, "rack.added", actor, rack=name)
    return rack


def create_token(
    session: Session, user: User, role: str, actor: str, *, rack: Rack | None = None, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """Make a token; the text is shown here and never again.

    :raises Invalid: no such role, or a worker's token without its rack
    """
    if role not in ROLES:
        raise Invalid("role", role, f"{role!r} is no role", ROLES)
    if (role == "worker") != (rack is not None):
        raise Invalid("rack", rack.name if rack else None, "a worker's token names its rack, and no other token does")
    secret = new_token("mp_")
    token = Token(
        user_id=user.id,
        role=role,
        rack_id=rack.id if rack else None,
        sha256=digest(secret),
        hint=secret[-4:],
        created_at=clock.now(),
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    session.add(token)
    session.flush()
    record(session, "token.created", actor, user=user.name, role=role, token=token.id, rack=rack.name if rack else None)
    return token, secret


def revoke_token(session: Session, token_id: int, actor: str) -> None:
    """A revoked token stays in the list and opens nothing."""
    token = session.get(Token, token_id)
    if token is None:
        raise NotFound("token", token_id)
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record(session, "token.revoked", actor, token=token.id)
