"""Connections to PostgreSQL that stay open beside those of transactions: to listen on, or to hold what only one may hold."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from inventory_service.db import number_of

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)
AGAIN_SECONDS = 1.0
"""After how long it is tried again while the database does not answer."""
_TAKE_SECONDS = 0.2
_HOLDS = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :high AND objid::bigint = :low)"
)
_THIS_SIDE: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_SERVERS_SIDE = "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""Who loses the network is told before the server lets go of what is held, so that it is never held twice."""


def connect(url: str, name: str) -> psycopg.Connection[Any]:
    """A connection of its own whose statements are each by themselves.

    :param name: what the server's list of connections calls it
    """
    import psycopg

    where = make_url(url).set(drivername="postgresql")
    options = f"{_SERVERS_SIDE} {where.query.get('options', '')}"
    return psycopg.connect(
        where.render_as_string(hide_password=False),
        **_THIS_SIDE,
        application_name=f"metalpool {name}",
        options=options,
        autocommit=True,
    )


def hold_alone(url: str, what: str) -> psycopg.Connection[Any]:
    """Wait until no other process holds it. It is held until the connection that this answers with is closed, or lost.

    It is asked for again and again: a statement that waits would keep the database from tidying up meanwhile.
    """
    import psycopg

    while True:
        try:
            with ExitStack() as opened:
                connection = opened.enter_context(connect(url, what))
                while not _take(connection, what):
                    time.sleep(_TAKE_SECONDS)
                opened.pop_all()
                return connection
        except psycopg.OperationalError as error:
            log.error("the database does not answer, %s tries again: %s", what, error)
            time.sleep(AGAIN_SECONDS)


def is_held(session: Session, what: str) -> bool:
    """Whether some process holds it now."""
    number = number_of(what)
    asked = {"high": number >> 32 & 0xFFFFFFFF, "low": number & 0xFFFFFFFF}
    return bool(session.scalar(_HOLDS, asked))


def _take(connection: psycopg.Connection[Any], what: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [number_of(what)]).fetchone()
    return row is not None and bool(row[0])
