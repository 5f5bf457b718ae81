"""The same request with the same key is done once: its answer is kept, and given again."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, bindparam, delete, select, text, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.config import Settings
from inventory_service.db import connection_of
from inventory_service.models import IdempotencyKey
from inventory_service.prepared import Prepared
from inventory_service.problems import Invalid, Overtaken
from inventory_service.vault import Vault

HEADER = "Idempotency-Key"
KEY_RULE = "1 to 200 printable ASCII characters without spaces, such as a UUID that is made for this request"
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
_UNDER_WAY = 0

_TABLE = IdempotencyKey.__table__
assert isinstance(_TABLE, Table)
_THIS = (_TABLE.c.user_id == bindparam("the_user"), _TABLE.c.key == bindparam("the_key"))
# Every POST with a key comes by here three times.
_LOOK = Prepared(select(_TABLE.c.fingerprint, _TABLE.c.status, _TABLE.c.body, _TABLE.c.created_at).where(*_THIS))
_TAKE = Prepared(
    text("""
    INSERT INTO idempotency_key (user_id, key, fingerprint, status, body, created_at)
    VALUES (:the_user, :the_key, :fingerprint, :status, '', :now)
    ON CONFLICT (user_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = excluded.created_at
    WHERE idempotency_key.created_at <= :oldest
    RETURNING status
""")
    .bindparams(bindparam("now", type_=_TABLE.c.created_at.type), bindparam("oldest", type_=_TABLE.c.created_at.type))
    .columns(_TABLE.c.status)
)
"""An answer that is kept no longer makes room."""
_KEEP = Prepared(update(_TABLE).where(*_THIS).values(status=bindparam("the_status"), body=bindparam("the_body")))


@dataclass(frozen=True)
class Stored:
    """What was answered."""

    status: int
    body: str


def check_key(key: str) -> str:
    """The key as a client may send it; the quotes of a structured field (RFC 8941) do not count.

    :raises Invalid: it is none
    """
    key = key.strip().strip('"')
    if not _KEY.fullmatch(key):
        raise Invalid(HEADER, key, "this is no key", KEY_RULE)
    return key


def fingerprint(*parts: bytes) -> str:
    """What tells one request from another: a digest of method, path and body."""
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def stored_answer(
    connection: Connection, settings: Settings, vault: Vault, user_id: int, key: str, print_of_it: str
) -> Stored | None:
    """What this request was answered before; None when it is new, or so long ago that the answer is not kept.

    :raises Invalid: the key was used for another request
    """
    found = _LOOK(connection, {"the_user": user_id, "the_key": key})
    if not found:
        return None
    fingerprint, status, body, created_at = found[0]
    if created_at <= _oldest(settings):
        return None
    if fingerprint != print_of_it:
        raise Invalid(HEADER, key, "this key was used for another request: make a new one for each", "a new key")
    return Stored(status, vault.decrypt(body))


def begin(session: Session, settings: Settings, user_id: int, key: str, print_of_it: str) -> None:
    """Take the key. Whoever took it at the same moment is waited for.

    :raises Overtaken: it was taken; asked again, there is an answer
    """
    this = {"the_user": user_id, "the_key": key, "fingerprint": print_of_it, "status": _UNDER_WAY}
    if not _TAKE(connection_of(session), this | {"now": clock.now(), "oldest": _oldest(settings)}):
        raise Overtaken(f"a request with the same {HEADER} was done just now", field=HEADER, value=key)


def keep(session: Session, vault: Vault, user_id: int, key: str, answer: Stored) -> None:
    """Keep the answer, in the transaction that did the work. It is encrypted: a new token may stand in it."""
    this = {"the_user": user_id, "the_key": key}
    _KEEP(connection_of(session), this | {"the_status": answer.status, "the_body": vault.encrypt(answer.body)})


def sweep(session: Session, settings: Settings) -> None:
    """Forget the answers that are kept no longer."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= _oldest(settings)))


def _oldest(settings: Settings) -> datetime:
    return clock.now() - timedelta(seconds=settings.idempotency_seconds)
