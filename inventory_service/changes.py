"""Wakes those who wait for a change (long polls, the engine) as soon as it is committed.

A wake-up is a hint; whoever waits reads the row again, and does so at intervals in any case, so that one that got lost
on its way is made up for. Other processes hear of it where ``relay.py`` carries it to them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Waiters by topic, such as ``operation:<id>`` or ``rack:<name>``."""

    def __init__(self, reread_seconds: float = 2.0) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, set[threading.Event]] = {}
        self._reread_seconds = reread_seconds
        self._closed = False
        self.tell_others: Callable[[Collection[str]], None] = lambda _topics: None
        """Carries topics to other processes."""

    @property
    def closed(self) -> bool:
        """Whether the process ends: nobody may wait any more."""
        return self._closed

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        self.wake_all()

    def announce(self, topics: Collection[str]) -> None:
        """Wake everybody who waits for one of the topics, in other processes too."""
        self.wake(topics)
        self.tell_others(topics)

    def wake(self, topics: Iterable[str]) -> None:
        """Wake those of this process."""
        with self._lock:
            for topic in topics:
                for waiter in self._waiters.get(topic, ()):
                    waiter.set()

    def wake_all(self) -> None:
        """Make everybody of this process look again: nobody knows what changed."""
        with self._lock:
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.set()

    def wait_until(self, topic: str, look: Callable[[], T | None], seconds: float) -> T | None:
        """Call ``look`` until it answers something, at each change of the topic, for at most so many seconds."""
        deadline = time.monotonic() + seconds
        waiter = threading.Event()
        with self._lock:
            self._waiters.setdefault(topic, set()).add(waiter)
        try:
            while True:
                waiter.clear()
                found = look()
                left = deadline - time.monotonic()
                if found is not None or left <= 0 or self._closed:
                    return found
                waiter.wait(min(left, self._reread_seconds))
        finally:
            with self._lock:
                waiters = self._waiters[topic]
                waiters.discard(waiter)
                if not waiters:
                    del self._waiters[topic]
