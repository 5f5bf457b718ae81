# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit that ends whatever the main thread is waiting for.

pyghmi may wait for an answer longer than any caller wants to; only a signal gets the main thread out of it.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator


class DeadlineReached(BaseException):
    """Not an ``Exception``: pyghmi catches those in places where it must not."""


def _on_alarm(signum: int, frame: object) -> None:
    raise DeadlineReached()


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise DeadlineReached in the main thread after so many seconds; limits may be nested."""
    if seconds <= 0:
        raise DeadlineReached()
    started = time.monotonic()
    outer_handler = signal.signal(signal.SIGALRM, _on_alarm)
    outer_left = signal.setitimer(signal.ITIMER_REAL, seconds)[0]
    if 0 < outer_left < seconds:
        signal.setitimer(signal.ITIMER_REAL, outer_left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, outer_handler)
        if outer_left > 0:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer_left - (time.monotonic() - started)))


class Deadline:
    """A point in time.

    :param seconds: how far away it is now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    def spent(self) -> float:
        return time.monotonic() - self._started

    def left(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self.seconds - self.spent())

    def passed(self) -> bool:
        return self.left() == 0.0
