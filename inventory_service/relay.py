"""Carries wake-ups between the processes on one PostgreSQL, by NOTIFY.

They are sent after the commit, by a thread of their own: who sends them inside a transaction makes all commits wait for one
another. What is lost on the way is made up for: whoever waits looks again every other second, and at once when the
connection was lost and is there again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING, Any

from inventory_service.changes import Changes
from inventory_service.postgresql import AGAIN_SECONDS, connect

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)
_CHANNEL = "metalpool_changes"
_SEND = "SELECT pg_notify(%s, topic) FROM unnest(%s::text[]) AS topic"


class Relay(threading.Thread):
    """One process's end of it."""

    def __init__(self, url: str, changes: Changes) -> None:
        super().__init__(name="relay", daemon=True)
        self._url = url
        self._changes = changes
        self._lock = threading.Lock()
        self._outgoing: set[str] = set()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        changes.tell_others = self.send

    def send(self, topics: Collection[str]) -> None:
        """Have other processes told, as soon as possible."""
        with self._lock:
            self._outgoing.update(topics)
            os.eventfd_write(self._bell, 1)

    def run(self) -> None:
        """Carry until the process ends."""
        import psycopg

        while not self._changes.closed:
            try:
                with connect(self._url, "relay") as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._changes.wake_all()
                    while True:
                        self._carry(connection)
            except psycopg.OperationalError as error:
                log.error("the database does not answer, the relay tries again: %s", error)
            except Exception:
                log.exception("the relay begins again")
            time.sleep(AGAIN_SECONDS)

    def _carry(self, connection: psycopg.Connection[Any]) -> None:
        """Wait until there is something to send or to hear."""
        select([connection.fileno(), self._bell], [], [])
        topics = self._take()
        if topics:
            try:
                connection.execute(_SEND, [_CHANNEL, topics])
            except BaseException:
                self.send(topics)
                raise
        own = connection.info.backend_pid
        self._changes.wake([one.payload for one in connection.notifies(timeout=0) if one.pid != own])

    def _take(self) -> list[str]:
        with self._lock:
            with suppress(BlockingIOError):
                os.eventfd_read(self._bell)
            topics, self._outgoing = list(self._outgoing), set()
        return topics
