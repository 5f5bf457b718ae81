"""API tokens: made, shown once, listed, revoked."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.sql.base import ExecutableOption

from inventory_service import clock
from inventory_service.auth import ROLES, SCOPES, Caller
from inventory_service.events import record
from inventory_service.models import Rack, Token, User
from inventory_service.problems import Forbidden, Invalid, NotFound
from inventory_service.secret_tokens import digest, new_token

NAME_RULE = "at most 100 printable characters"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_ORDER = tuple(SCOPES)
_HIGHEST = (1 << 63) - 1


def create_token(
    session: Session,
    user: User,
    role: str,
    actor: str,
    *,
    name: str = "",
    scope: str = "admin",
    rack: Rack | None = None,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token; the text is shown here and never again. An administrator's token makes its user an administrator.

    :raises Invalid: no such role or scope, no name, the past, or a worker's token without its rack
    """
    if role not in ROLES:
        raise Invalid("role", role, f"{role!r} is no role", ROLES)
    if scope not in SCOPES:
        raise Invalid("scope", scope, f"{scope!r} is no scope", SCOPES)
    if (role == "worker") != (rack is not None):
        raise Invalid("rack", rack.name if rack else None, "a worker's token names its rack, and no other token does")
    if len(name) > 100 or _UNPRINTABLE.search(name):
        raise Invalid("name", name[:100], "this is no name for a token", NAME_RULE)
    if expires_at is not None and expires_at <= clock.now():
        raise Invalid("expires_at", expires_at.isoformat(), "that is over", "a moment to come")
    secret = new_token("mp_")
    token = Token(
        user_id=user.id,
        name=name,
        role=role,
        scope=scope,
        rack_id=rack.id if rack else None,
        sha256=digest(secret),
        hint=secret[-4:],
        created_at=clock.now(),
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    session.add(token)
    user.administrator = user.administrator or role == "admin"
    session.flush()
    record(
        session, "token.created", actor,
        user=user.name, token=token.id, name=name, role=role, scope=scope, rack=rack.name if rack else None,
    )  # fmt: skip
    return token, secret


def create_for(
    session: Session,
    caller: Caller,
    user: User,
    *,
    name: str = "",
    scope: str = "admin",
    rack: Rack | None = None,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token that somebody asks for. It is worth no more than its user is, and no more than what was used to ask for it.

    :raises Forbidden: it would be worth more than what the caller asks with
    """
    if scope in SCOPES and _ORDER.index(scope) > _ORDER.index(caller.scope):
        raise Forbidden(f"a token of scope {caller.scope} makes none of a wider scope", field="scope", value=scope)
    role = "worker" if rack is not None else "admin" if user.administrator and caller.is_admin else "user"
    return create_token(session, user, role, caller.actor, name=name, scope=scope, rack=rack, expires_at=expires_at)


def whole_token() -> tuple[ExecutableOption, ...]:
    """Loader options for a token with whose it is."""
    return (joinedload(Token.user), joinedload(Token.rack))


def find_token(session: Session, caller: Caller | None, number: int) -> Token:
    """The token of that number: one's own, an administrator's (or the command's, which is nobody) anybody's.

    :raises NotFound: there is none for the caller
    """
    query = select(Token).where(Token.id == min(number, _HIGHEST)).options(*whole_token())
    if caller is not None and not caller.is_admin:
        query = query.where(Token.user_id == caller.user_id)
    token = session.scalar(query)
    if token is None:
        raise NotFound("token", number)
    return token


def revoke_token(session: Session, token: Token, actor: str) -> None:
    """A revoked token stays in the list and opens nothing, from now on, wherever it is tried."""
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record(session, "token.revoked", actor, user=token.user.name, token=token.id, name=token.name)
