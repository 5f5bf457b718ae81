"""Who is asking, as an API token or a session proves it. Knows nothing of HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import Database
from inventory_service.events import record
from inventory_service.models import Rack, Token, User
from inventory_service.prepared import Prepared
from inventory_service.problems import Forbidden, Invalid, Unauthenticated
from inventory_service.secret_tokens import digest

ROLES = ("admin", "user", "worker", "metrics")
SCOPES: Mapping[str, str] = {"read": "viewer", "allocate": "user", "operate": "operator", "admin": "administrator"}
"""How much a token may be used for: the highest role that its user has by it in any pool, the least scope first.

With *read* nothing is changed. With *allocate* its user's own nodes are, with *operate* those of pools that the user operates.
*admin* is all that the user may do, which for one who is no administrator is no more than that, and the user's own account.
"""
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
NAME_RULE = "1 to 63 of a-z, 0-9, '-', '.' and '_', a letter or digit first and last"
_SEEN_AGAIN = timedelta(seconds=60)
_token, _user, _rack = Token.__table__.c, User.__table__.c, Rack.__table__.c
_TOKEN = Prepared(
    select(
        _token.id,
        _token.role,
        _token.scope,
        _token.rack_id,
        _token.revoked_at,
        _token.expires_at,
        _token.last_used_at,
        _user.id,
        _user.name,
        _user.administrator,
        _user.disabled_at,
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
    role: str
    scope: str
    rack_id: int | None
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    user_id: int
    user: str
    administrator: bool
    disabled_at: datetime | None
    rack: str | None

    def is_valid(self, now: datetime) -> bool:
        return not (self.revoked_at or self.disabled_at or (self.expires_at and self.expires_at <= now))


@dataclass(frozen=True)
class Caller:
    """Who is asking, as far as a token or a session proves it.

    ``role`` is *admin* only where everything is allowed; ``administrator`` is so for administrators whose token has a
    lesser scope, too. ``kept_rights`` is where ``rights.rights_of`` keeps what it found, so that one request asks once.
    """

    user_id: int
    user: str
    role: str
    token_id: int | None
    rack_id: int | None = None
    rack: str | None = None
    scope: str = "admin"
    administrator: bool = False
    session_id: int | None = None
    kept_rights: list[Any] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def actor(self) -> str:
        """How events call the caller."""
        return f"worker {self.rack}" if self.role == "worker" else self.user

    @property
    def standing(self) -> dict[str, Any]:
        """What a request that is tried again later keeps of who asked; see ``returning``."""
        return {"role": self.role, "scope": self.scope, "administrator": self.administrator}

    def need_rack(self, rack: str) -> None:
        """Only an administrator and the rack's own worker may speak for a rack."""
        if not (self.is_admin or (self.role == "worker" and self.rack == rack)):
            raise Forbidden(f"this token does not belong to the worker of rack {rack}")


def returning(user_id: int, user: str, standing: Mapping[str, Any], *, administrator: bool) -> Caller:
    """Who asked for something that is tried again.

    :param standing: what was kept of the caller
    :param administrator: whether the user still is one
    """
    role, scope = str(standing.get("role", "user")), str(standing.get("scope", "admin"))
    administrator = administrator and bool(standing.get("administrator", role == "admin"))
    role = effective_role(role, scope, administrator=administrator)
    return Caller(user_id, user, role, None, scope=scope, administrator=administrator)


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
    if token is None or not token.is_valid(now):
        raise Unauthenticated("this API token is unknown, revoked or expired")
    if token.last_used_at is None or now - token.last_used_at > _SEEN_AGAIN:
        _note_use(database, token, now)
    administrator = token.role == "admin" and token.administrator
    return Caller(
        user_id=token.user_id,
        user=token.user,
        role=effective_role(token.role, token.scope, administrator=administrator),
        token_id=token.id,
        rack_id=token.rack_id,
        rack=token.rack,
        scope=token.scope,
        administrator=administrator,
    )


def effective_role(role: str, scope: str, *, administrator: bool) -> str:
    """What a token's role comes to: an administrator's is one in full scope, and as long as its user is an administrator."""
    return role if role != "admin" or (administrator and scope == "admin") else "user"


def _note_use(database: Database, token: _Token, now: datetime) -> None:
    """Write that a token was used: once a minute, whoever comes first, so that reading does not become writing."""
    unseen = or_(Token.last_used_at.is_(None), Token.last_used_at < now - _SEEN_AGAIN)
    with database.write() as session:
        session.execute(update(Token).where(Token.id == token.id, unseen).values(last_used_at=now))
        if token.rack_id:
            session.execute(update(Rack).where(Rack.id == token.rack_id).values(last_seen_at=now))


def ensure_user(session: Session, name: str, actor: str) -> User:
    """The user of that name; made when there is none."""
    user = session.scalar(select(User).where(User.name == check_name("user", name)))
    if user is None:
        user = User(name=name, created_at=clock.now(), administrator=False, disabled_at=None)
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
