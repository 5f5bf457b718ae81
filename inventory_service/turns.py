"""A line for something scarce: whoever came first gets it first, and nobody waits for ever.

A connection pool, or a lock, hands itself to whoever happens to run at the right moment: with 64 threads and one
interpreter that is often the thread that has just given it back, and others wait until their time is up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class LineTooLong(Exception):
    """It was not one's turn in time."""


class Turns:
    """So many may have it at once; the others stand in line."""

    def __init__(self, places: int, seconds: float) -> None:
        """
        :param seconds: how long one may have to wait
        """
        self._lock = threading.Lock()
        self._free = places
        self._line: deque[threading.Event] = deque()
        self._seconds = seconds
        self._mine = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and have it.

        :raises LineTooLong: the wait would exceed the limit
        :raises RuntimeError: this thread has a turn already; waiting for a second one could be for ever
        """
        if getattr(self._mine, "taken", False):
            raise RuntimeError("a second session inside a session: finish the first one, or pass it on")
        self._take()
        self._mine.taken = True
        try:
            yield
        finally:
            if self._mine.taken:  # not when it was given up, and not had again
                self._mine.taken = False
                self._pass_on()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let others have one's turn while one waits for something else, then stand in line for it again.

        :raises LineTooLong: the wait for it would exceed the limit
        """
        had = getattr(self._mine, "taken", False)
        if had:
            self._mine.taken = False
            self._pass_on()
        try:
            yield
        finally:
            if had:
                self._take()
                self._mine.taken = True

    def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            called = threading.Event()
            self._line.append(called)
        began = time.monotonic()
        if called.wait(self._seconds):
            return
        with self._lock:
            if called.is_set():
                return
            self._line.remove(called)
        raise LineTooLong(f"not its turn after {time.monotonic() - began:.0f} s, with {len(self._line)} others in line")

    def _pass_on(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1
