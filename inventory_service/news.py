"""Events in the order of their numbers, none left out: for whoever goes on from the last number that was seen.

On PostgreSQL a number is taken before the commit, and some are never committed, so a greater one may be seen while a smaller
one is still to come. A gap is passed when every transaction that was under way when it was seen has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from inventory_service.auth import Caller
from inventory_service.db import side_by_side
from inventory_service.filters import EVENTS
from inventory_service.models import Event
from inventory_service.rights import let_ask, visible_events

AT_ONCE = 500
_LOOK_BACK = 20_000
"""More events are not written while one transaction lasts."""
_UNDER_WAY = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def latest(session: Session) -> int:
    """The greatest number that is seen."""
    return session.scalar(select(func.max(Event.id))) or 0


class Horizon:
    """How far nothing can appear any more: kept by one thread that looks again and again.

    :param passed: how far that is known already
    """

    def __init__(self, passed: int | None = None) -> None:
        self._passed = passed
        self._gap: tuple[int, int] | None = None

    def look(self, session: Session) -> int:
        """The last number before which nothing can appear."""
        if not side_by_side(session):
            return latest(session)
        if self._passed is None:
            self._passed = max(0, latest(session) - _LOOK_BACK)
        oldest, following = session.execute(_UNDER_WAY).one()
        if self._gap is not None and oldest >= self._gap[1]:
            self._passed, self._gap = max(self._passed, self._gap[0]), None
        numbers = session.scalars(select(Event.id).where(Event.id > self._passed).order_by(Event.id).limit(_LOOK_BACK)).all()
        for number in numbers:
            if number != self._passed + 1:
                self._gap = self._gap or (numbers[-1], following)
                break
            self._passed = number
        return self._passed


def news(session: Session, caller: Caller, after: int, upto: int, typed: str | None = None) -> Sequence[Event]:
    """Events behind one number and not behind another that the caller may see, some hundred at once.

    :param typed: a filter
    :raises Invalid: the filter means nothing
    """
    let_ask(session, caller)
    conditions = [*visible_events(session, caller), *EVENTS.where(session, EVENTS.terms(typed, {}))]
    query = select(Event).where(Event.id > after, Event.id <= upto, *conditions)
    return session.scalars(query.order_by(Event.id).limit(AT_ONCE)).all()
