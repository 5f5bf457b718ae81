"""How often something may happen in a minute, counted in the process, or where all processes see it."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime

from sqlalchemy import bindparam, delete, text
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import Database
from inventory_service.models import RateCount

_HIT = text("""
    INSERT INTO rate_count (what, minute, hits) VALUES (:what, :minute, 1)
    ON CONFLICT (what, minute) DO UPDATE SET hits = rate_count.hits + 1
    RETURNING hits
""").bindparams(bindparam("minute", type_=RateCount.__table__.c.minute.type))


class Rates:
    """Counters of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute: datetime | None = None
        self._hits: Counter[str] = Counter()

    def allow(self, what: str, most: int) -> bool:
        """Count it, and say whether it was not one too many in this minute."""
        minute = _this_minute()
        with self._lock:
            if minute != self._minute:
                self._minute, self._hits = minute, Counter()
            self._hits[what] += 1
            return self._hits[what] <= most


class SharedRates(Rates):
    """Counters of all processes on one database. What one process alone sees too often it refuses by itself: a flood does not
    reach the database.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def allow(self, what: str, most: int) -> bool:
        """As above."""
        if not super().allow(what, most):
            return False
        with self._database.write() as session:
            hits: int = session.execute(_HIT, {"what": what, "minute": _this_minute()}).scalar_one()
        return hits <= most


def sweep(session: Session) -> None:
    """Forget the minutes that are over."""
    session.execute(delete(RateCount).where(RateCount.minute < _this_minute()))


def _this_minute() -> datetime:
    return clock.now().replace(second=0, microsecond=0)
