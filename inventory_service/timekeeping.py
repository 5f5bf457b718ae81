"""What is to be done at a moment, without anybody asking: the rows say when, so nothing is lost while the service is down."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from inventory_service import clock, idempotency, rates, sessions
from inventory_service.allocation_requests import give_up, release
from inventory_service.db import hold
from inventory_service.leases import announce
from inventory_service.models import Allocation, Node
from inventory_service.problems import Problem
from inventory_service.services import Services
from inventory_service.set_aside import recount_due

log = logging.getLogger(__name__)


RETRY_SECONDS = 60
"""When a release that something is in the way of is tried again; the end of an operation is noticed at once."""


def next_due(session: Session) -> datetime | None:
    """The next moment at which something is to be done."""
    moments = [session.scalar(select(func.min(column))) for column in (Allocation.due_at, Node.failures_until)]
    return min((one for one in moments if one is not None), default=None)


def seconds_left(session: Session) -> float | None:
    """How long it is until then: 0 when it is late; None when nothing is to come."""
    due = next_due(session)
    return None if due is None else max(0.0, (due - clock.now()).total_seconds())


def keep_time(services: Services) -> None:
    """Do everything that is due. Doing it twice, or late, does no harm."""
    with services.database.read() as session:
        due = session.scalars(
            select(Allocation.id).where(Allocation.due_at <= clock.now()).order_by(Allocation.due_at)
        ).all()
    for allocation_id in due:
        with services.database.write() as session:
            _keep(session, services, allocation_id)
    with services.database.write() as session:
        recount_due(session)
        idempotency.sweep(session, services.settings)
        rates.sweep(session)
        sessions.sweep(session, services.settings)
    services.database.tidy()


def _keep(session: Session, services: Services, allocation_id: int) -> None:
    """What is due about one allocation: it waited long enough, or its lease is to be announced, ends, or has ended."""
    allocation = session.scalars(
        select(Allocation).where(Allocation.id == allocation_id).options(joinedload(Allocation.node))
    ).one()
    if allocation.node is not None:
        hold(session, allocation.node)
    hold(session, allocation)
    if allocation.due_at is None or allocation.due_at > clock.now():
        return
    if allocation.state == "waiting":
        give_up(session, allocation, "nothing became free for it in time", "engine")
    elif announce(session, allocation):
        try:
            release(session, services, allocation, "engine")
        except Problem as problem:
            log.info("allocation %s has ended, its node is released later: %s", allocation.name, problem.detail)
            allocation.due_at = clock.now() + timedelta(seconds=RETRY_SECONDS)
