"""The line to wait in: who asked when nothing was free gets the first node that fits, as soon as there is one.

A node that becomes ready goes to the first in line that it fits, in the transaction that made it ready: before that is
committed, ``serve`` looks at what it set free (``offers``). So a ready node is one that nobody in line can use yet, and a new
request that takes it overtakes nobody.

A set stands in line as one: it gets all of its nodes in the transaction in which the last of them becomes ready. Until
then it keeps none of them from others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.allocate import take
from inventory_service.allocation_requests import deploy, give_up
from inventory_service.asking import LINE, acquire_set
from inventory_service.auth import Caller, returning
from inventory_service.db import after, alone, hold, touch
from inventory_service.metrics import ALLOCATION_WAIT_SECONDS
from inventory_service.models import NODE, Allocation, Node, Pool, User
from inventory_service.offers import offers
from inventory_service.pick import fits, may_be_picked, understand
from inventory_service.policies import Policies, policies_of
from inventory_service.problems import Conflict, Invalid, NotFound, Overtaken
from inventory_service.queue_orders import QUEUE_ORDERS, WAITING
from inventory_service.services import Services
from inventory_service.wanted import Wanted, WantedSet
from inventory_service.where import narrowed

_OWN = ("name", "hostname", "note", "annotations")
"""What two requests for the same thing may differ in."""


class Waiting(NamedTuple):
    """One that stands in line."""

    id: int
    user_id: int
    user: str
    administrator: bool
    request: dict[str, Any]

    def caller(self) -> Caller:
        """Who asked, with the rights of the token that was used, as far as the user still has them."""
        return returning(self.user_id, self.user, self.request, administrator=self.administrator)

    @property
    def same(self) -> str:
        """Equal for two requests that the same node fits."""
        asked = {name: value for name, value in self.request.items() if name not in _OWN}
        return json.dumps([self.user_id, asked], sort_keys=True)


def watch_offers(services: Services) -> None:
    """From now on, whatever a transaction of this process sets free is offered to those in line."""
    services.database.before_commit = partial(_serve_offers, services)


def _serve_offers(services: Services, session: Session) -> None:
    """Offer what this transaction set free to those in line."""
    found = offers(session)
    if not found:
        return
    session.flush()
    alone(session, LINE)
    if session.scalar(select(Allocation.id).where(WAITING).limit(1)) is not None:
        served = [_serve_node(session, services, node_id, found.users) for node_id in list(found.nodes)]
        if found.users and not any(served):
            _serve(session, services, _line(session, Allocation.user_id.in_(found.users)))
        session.flush()


def catch_up(services: Services) -> None:
    """Look at the whole line, for what became possible by a change that nobody offers: an image, a right, a network."""
    with services.database.read() as session:
        idle = exists().where(*may_be_picked())
        if not session.scalar(select(exists().where(WAITING))) or not session.scalar(select(idle)):
            return
    with services.database.write() as session:
        alone(session, LINE)
        _serve(session, services, _line(session))


def _serve_node(session: Session, services: Services, node_id: int, choosing: Collection[int]) -> bool:
    """Give a node away, and the users ``choosing`` what they can have now; False when the node is not free."""
    node = session.execute(
        select(Node.cpus, Node.memory_bytes, Node.storage_bytes, Node.gpus, Pool.queue_order)
        .join(Pool, Pool.id == Node.pool_id)
        .where(Node.id == node_id, *may_be_picked())
    ).one_or_none()
    if node is None:
        return False
    enough = [
        Allocation.needs_cpus <= (node.cpus or 0),
        Allocation.needs_memory_bytes <= (node.memory_bytes or 0),
        Allocation.needs_storage_bytes <= (node.storage_bytes or 0),
        Allocation.needs_gpus <= node.gpus,
    ]
    line = _line(session, or_(and_(*enough), Allocation.user_id.in_(choosing)), order=node.queue_order)
    _serve(session, services, line, node_id, choosing)
    return True


def _line(session: Session, *conditions: ColumnElement[bool], order: str = "first_come") -> Sequence[Waiting]:
    query = select(Allocation.id, Allocation.user_id, User.name, User.administrator, Allocation.request).join(Allocation.user)
    conditions = (WAITING, User.disabled_at.is_(None), *conditions)
    return [Waiting(*one) for one in session.execute(query.where(*conditions).order_by(*QUEUE_ORDERS[order]))]


def _serve(
    session: Session,
    services: Services,
    line: Sequence[Waiting],
    node_id: int | None = None,
    choosing: Collection[int] = (),
) -> None:
    """Give those in line what they asked for, one after the other; what one cannot have, the same request cannot. A set
    that cannot be met yet lets those behind it pass, as a single does that nothing free fits.

    :param node_id: only this node has become free
    :param choosing: users who have just got more room in a quota: what was free before may be theirs as well
    """
    refused: set[str] = set()
    askers: dict[Caller, tuple[Caller, Policies]] = {}
    gone = False
    for one in line:
        this = None if one.user_id in choosing else node_id
        same = one.same
        if same in refused or (gone and this is not None):
            continue
        caller = one.caller()
        if caller not in askers:
            askers[caller] = caller, policies_of(session, caller.user_id)
        if not _give(session, services, one, *askers[caller], this):
            refused.add(same)
        elif node_id is not None and not gone:
            gone = not _is_free(session, node_id)
            if gone and not choosing:
                return


def _is_free(session: Session, node_id: int) -> bool:
    return session.scalar(select(Node.id).where(Node.id == node_id, *may_be_picked())) is not None


def _give(
    session: Session, services: Services, one: Waiting, caller: Caller, policies: Policies, node_id: int | None
) -> bool:
    """Let one in line have its node, or its set, if there is one for it; a request that means nothing any more ends."""
    wanted, several = Wanted.of(one.request), WantedSet.of(one.request)
    try:
        request = understand(session, caller, wanted, several.least if several else 1, policies=policies)
        this = [NODE.id == node_id] if node_id is not None and several is None else []
        if node_id is not None and not fits(session, node_id, request):
            return False
        this += narrowed(session, services, wanted, request, *this)
        waiting = _held(session, one)
        if waiting is None:
            return False
        with session.begin_nested():
            if several is not None:
                several = replace(several, each=replace(several.each, credentials=waiting.credentials))
                if not acquire_set(session, services, caller, several, request, *this, waiting=waiting):
                    return False
            elif take(session, caller, wanted, request, *this, waiting=waiting) is None:
                return False
            elif wanted.deploy:
                deploy(session, services, waiting, caller.actor)
    except Overtaken:
        raise
    except Conflict:
        # Something that may pass is in the way, such as an address that somebody holds.
        return False
    except (Invalid, NotFound) as problem:
        waiting = _held(session, one)
        if waiting is not None:
            give_up(session, waiting, f"it can be met no longer: {problem.detail}", "engine")
        return False
    touch(session, f"allocation:{one.id}")
    if waiting.queued_at is not None:
        waited = (clock.now() - waiting.queued_at).total_seconds()
        after(session, partial(ALLOCATION_WAIT_SECONDS.labels("in_line").observe, waited))
    return True


def _held(session: Session, one: Waiting) -> Allocation | None:
    """The row of one in line, for this transaction alone; None when it waits no longer."""
    waiting = session.get_one(Allocation, one.id)
    hold(session, waiting)
    return waiting if waiting.state == "waiting" else None
