"""Asking for a node, or for several at once: now, or by a place in line."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, insert, literal, select
from sqlalchemy.orm import Session

from inventory_service import quotas, sets
from inventory_service.allocate import Taken, asked, hostname_of, make, name_of, take
from inventory_service.allocation_requests import complete_credentials, deploy
from inventory_service.auth import Caller
from inventory_service.db import alone, touch
from inventory_service.events import record
from inventory_service.models import NODE, Allocation, AllocationPool, Pool
from inventory_service.pick import Request, understand
from inventory_service.problems import QuotaUsedUp
from inventory_service.refusals import EVER, in_use, without
from inventory_service.services import Services
from inventory_service.sets import forgotten_on_failure, member, named, take_set
from inventory_service.wanted import Wanted, WantedSet
from inventory_service.where import narrowed

LINE = "line"
"""What only one transaction at a time joins, or serves (``db.alone``)."""


def acquire(
    session: Session,
    services: Services,
    caller: Caller,
    wanted: Wanted,
    *more: ColumnElement[bool],
    request: Request | None = None,
) -> Taken | None:
    """A node now; None when nothing is free that fits.

    :param more: what the node has to meet besides
    :param request: what ``understand`` made of ``wanted``, when it was asked already
    """
    taken = take(session, caller, wanted, request or understand(session, caller, wanted), *more)
    if taken is not None and wanted.deploy:
        deploy(session, services, taken.allocation, caller.actor)
    return taken


def join(
    session: Session, services: Services, caller: Caller, wanted: Wanted, until: datetime | None
) -> Allocation | None:
    """A place in line, or a node when one became free before it was our turn; None when nothing could ever do.

    :param until: when to give up waiting; None is never
    """
    alone(session, LINE)
    request = understand(session, caller, wanted)
    taken = acquire(session, services, caller, wanted, *narrowed(session, services, wanted, request), request=request)
    if taken is not None:
        return taken.allocation
    if not could_be(session, wanted, request):
        return None
    name = name_of(wanted)
    wanted = replace(wanted, name=name, hostname=hostname_of(wanted, name))
    return _wait(session, services, caller, wanted, request, until, wanted.document())


def acquire_set(
    session: Session,
    services: Services,
    caller: Caller,
    wanted: WantedSet,
    request: Request,
    *more: ColumnElement[bool],
    waiting: Allocation | None = None,
) -> list[Allocation]:
    """A set of nodes now, all or nothing; none when there are not enough that fit.

    :param request: what ``understand`` made of it; the rest as in ``take_set``
    """
    taken = take_set(session, caller, wanted, request, *more, waiting=waiting)
    with forgotten_on_failure(session, taken, waiting):
        for one in taken if wanted.each.deploy else ():
            deploy(session, services, one, caller.actor)
    return taken


def join_set(
    session: Session, services: Services, caller: Caller, wanted: WantedSet, until: datetime | None
) -> list[Allocation]:
    """A place in line for a set, kept by one allocation that becomes its first; or the set, when it became possible
    before it was our turn. None when there could never be enough."""
    alone(session, LINE)
    request = understand(session, caller, wanted.each, wanted.least)
    narrowing = narrowed(session, services, wanted.each, request)
    taken: list[Allocation] = []
    # More than the user may hold now; those who wait for their quota wait as well.
    with suppress(QuotaUsedUp), session.begin_nested():
        taken = acquire_set(session, services, caller, wanted, request, *narrowing)
    if taken or not could_be(session, wanted, request):
        return taken
    wanted = named(wanted)
    first = member(wanted, 1)
    return [_wait(session, services, caller, first, request, until, wanted.document(), wanted.each.name)]


def _wait(
    session: Session,
    services: Services,
    caller: Caller,
    wanted: Wanted,
    request: Request,
    until: datetime | None,
    document: dict[str, Any],
    set_name: str | None = None,
) -> Allocation:
    """Stand in line.

    :param wanted: with its name and host name
    :param document: the request as it is tried again
    """
    if wanted.deploy:
        login = services.vault.decrypt_document(wanted.credentials)
        complete_credentials(session, caller.user_id, login)
    asking = asked(caller, wanted)
    values = asking | {
        "state": "waiting",
        "set_name": set_name,
        "request": document | caller.standing,
        "root_disk": wanted.root_disk,
        "queued_at": asking["created_at"],
        "wait_until": until,
        "due_at": until,
        **_needs(request),
    }
    waiting = make(session, values)
    would_do = exists().where(NODE.pool_id == Pool.id, EVER, *without(request, "quota").conditions)
    pools = select(literal(waiting.id), Pool.id).where(would_do)
    session.execute(insert(AllocationPool).from_select(["allocation_id", "pool_id"], pools))
    record(session, "allocation.waiting", caller.actor, allocation=waiting, constraints=dict(wanted.constraints))
    touch(session, "due")
    return waiting


def _needs(request: Request) -> dict[str, int]:
    """The least that a node must have, as columns."""
    bounds = ("cpus", "memory_bytes", "storage_bytes", "gpus")
    return {f"needs_{what}": max((getattr(one.least, what) for one in request.constraints), default=0) for what in bounds}


def could_be(session: Session, wanted: Wanted | WantedSet, request: Request) -> bool:
    """Whether there are nodes enough that would do if they were free and the caller held nothing: else nobody waits.

    :param request: what ``understand`` made of it
    """
    if isinstance(wanted, WantedSet):
        return sets.could_be(session, wanted, request)
    at_all = without(request, "quota")
    alone_in_pool = [*at_all.constraints, *quotas.could_ever(request.policies)]
    return in_use(session, replace(at_all, constraints=alone_in_pool))
