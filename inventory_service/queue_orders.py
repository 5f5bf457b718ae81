"""Who in line comes first: ONE table. Priority, fair share, backfill and reservations are further rows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory_service.models import Allocation

WAITING = Allocation.state == "waiting"

QUEUE_ORDERS: Mapping[str, Sequence[Any]] = {
    "first_come": (Allocation.id,),
}
"""What those in line are sorted by; a pool names one for its nodes. They join one after the other, so that the ids say who
came first, whatever the clock does."""


def places(session: Session, allocation_ids: Sequence[int]) -> dict[int, int]:
    """The place in line of each of these that waits; 1 is the first."""
    if not allocation_ids:
        return {}
    place = func.row_number().over(order_by=QUEUE_ORDERS["first_come"]).label("place")
    line = select(Allocation.id, place).where(WAITING).subquery()
    rows = session.execute(select(line.c.id, line.c.place).where(line.c.id.in_(allocation_ids)))
    return {row[0]: row[1] for row in rows}
