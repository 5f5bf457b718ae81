"""Passwords: argon2id (RFC 9106), and as much work for a user who is not there as for one who is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.events import record
from inventory_service.models import LoginSession, Password, User
from inventory_service.problems import Invalid, TooMany

LEAST, MOST = 12, 1000
_RULE = f"{LEAST} to {MOST} characters, and not the user's name"
# RFC 9106's second choice of parameters, on one CPU each: whoever signs in leaves the others to those who work.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))
_IN_LINE = threading.BoundedSemaphore(16)
"""Each hash takes 64 MiB and a good part of a second; those who wait for theirs hold one of the requests' threads."""


@contextmanager
def _turn() -> Iterator[None]:
    if not _IN_LINE.acquire(blocking=False):
        raise TooMany("many are signing in just now", 2)
    try:
        with _AT_ONCE:
            yield
    finally:
        _IN_LINE.release()


@cache
def _nobodys() -> str:
    return _HASHER.hash("of nobody")


def hash_password(user: str, password: str) -> str:
    """What is kept of a password. Not inside of a transaction: it takes long.

    :raises Invalid: it is too short or too long
    :raises TooMany: too many passwords are looked at
    """
    if not LEAST <= len(password) <= MOST or password.casefold() == user.casefold():
        raise Invalid("password", None, "this password is not accepted", _RULE)
    with _turn():
        return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether it is the password of which this was kept; None is that of nobody, and takes as long. Not inside of a transaction.

    :raises TooMany: too many passwords are looked at
    """
    with _turn():
        try:
            return _HASHER.verify(kept or _nobodys(), password[: MOST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def set_password(session: Session, user: User, argon2: str | None, actor: str, *, but: int | None = None) -> None:
    """Set or take away a user's password. All sessions of the user end, but the one that says so; tokens stay.

    :param argon2: what ``hash_password`` made; None takes it away
    :param but: the number of a session that goes on
    """
    kept = session.get(Password, user.id)
    if argon2 is None:
        if kept is None:
            return
        session.delete(kept)
    elif kept is None:
        session.add(Password(user_id=user.id, argon2=argon2, changed_at=clock.now()))
    else:
        kept.argon2, kept.changed_at = argon2, clock.now()
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.id != (but or 0)))
    record(session, "password.removed" if argon2 is None else "password.set", actor, user=user.name)
