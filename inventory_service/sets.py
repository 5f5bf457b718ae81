"""Several nodes at once: all of them or none, in one transaction, near one another or spread."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from inventory_service import quotas
from inventory_service.allocate import keep
from inventory_service.apart import PLACES, places
from inventory_service.auth import Caller, check_name
from inventory_service.explain import ByExpression, Together
from inventory_service.held_names import held_as, taken
from inventory_service.hostnames import check_hostname
from inventory_service.models import NODE, Allocation, Node
from inventory_service.pick import READY, TELL, Request, best, hold, may_be_picked
from inventory_service.prepared import SLOT
from inventory_service.problems import Invalid, Problem
from inventory_service.refusals import EVER, refusal, without
from inventory_service.states import advance_chosen, moving
from inventory_service.verdicts import IN_USE
from inventory_service.wanted import Wanted, WantedSet

_TRIES = 3
_TAKE = moving(select(NODE.id).where(SLOT), "ready", "allocate", *TELL)


def existing_set(session: Session, caller: Caller, name: str, count: int) -> list[Allocation]:
    """The allocations that this user holds under the name of a set.

    :param count: how many it would have, each with a name of its own
    :raises Conflict: the name is another user's or a single allocation's, or one of the set's own would be
    """
    names = [name, *(f"{name}-{number}" for number in range(1, count + 1))]
    found = held_as(session, *names)
    of_it = [one for one in found if one.set_name == name]
    for one in of_it or found:
        if one.user_id != caller.user_id or not of_it:
            raise taken(caller, next(each for each in names if each in (one.name, one.set_name)), one)
    return of_it


def check_set(wanted: WantedSet) -> None:
    """Refuse what no set can be.

    :raises Invalid: more at least than at most, or nodes in the same place that are to be spread over it
    """
    if wanted.least > wanted.count:
        raise Invalid("min_count", wanted.least, f"it is more than count, {wanted.count}", f"1 to {wanted.count}")
    if wanted.each.addresses and wanted.count > 1:
        raise Invalid("addresses", dict(wanted.each.addresses), "an address has one holder: ask for it with one node")
    both = set(places("same", wanted.same)) & set(places("spread", wanted.each.spread))
    if both:
        raise Invalid("spread", wanted.each.spread, f"same and spread cannot both be {', '.join(sorted(both))}")


def named(wanted: WantedSet) -> WantedSet:
    """The request with a name: made up when none was asked for."""
    name = check_name("name", wanted.each.name) if wanted.each.name else f"s-{secrets.token_hex(4)}"
    return replace(wanted, each=replace(wanted.each, name=name))


def member(wanted: WantedSet, number: int) -> Wanted:
    """What is asked for with one of a set that has its name; the first is number 1."""
    name = wanted.each.name or ""
    return replace(
        wanted.each, name=check_name("name", f"{name}-{number}"), hostname=_hostname(wanted, name, number)
    )


def take_set(
    session: Session,
    caller: Caller,
    wanted: WantedSet,
    request: Request,
    *more: ColumnElement[bool],
    waiting: Allocation | None = None,
) -> list[Allocation]:
    """Take as many nodes as are wanted, or at least as many as have to be; none when there are not so many.

    :param request: what ``understand`` made of ``wanted.each``
    :param more: what every node has to meet besides
    :param waiting: the allocation that stands in line for the set, and becomes its first
    :raises Conflict: a member's name is another allocation's
    :raises QuotaUsedUp: together they are more than the user may hold
    """
    wanted = named(wanted)
    ids = _held_ids(session, wanted, request, more)
    if not ids:
        return []
    ids = quotas.affordable(session, caller.user_id, request.policies, ids)
    if len(ids) < wanted.least:
        raise quotas.refuse(session, caller.user_id, request.policies)
    members = [member(wanted, number) for number, _unused in enumerate(ids, 1)]
    if waiting is not None:
        _need_names(session, caller, [one.name or "" for one in members], waiting)
    moved = {one.id: one for one in advance_chosen(session, _TAKE, [NODE.id.in_(ids)])}
    made: list[Allocation] = []
    with forgotten_on_failure(session, made, waiting):
        for each, node_id in zip(members, ids, strict=True):
            first = None if made else waiting
            made.append(keep(session, caller, each, request, moved[node_id], set_name=wanted.each.name, waiting=first).allocation)
    return made


@contextmanager
def forgotten_on_failure(session: Session, made: Sequence[Allocation], waiting: Allocation | None) -> Iterator[None]:
    """When this fails, the session forgets the allocations that were made: whoever rolls back to a savepoint goes on with
    a session that knows no row that is not there, and the database may give their numbers again.

    :param waiting: the one among them that was there before
    """
    try:
        yield
    except BaseException:
        for one in made:
            if one is not waiting:
                session.expunge(one)
        raise


def _need_names(session: Session, caller: Caller, names: Sequence[str], waiting: Allocation) -> None:
    """Go on only when nobody took one of these names while the set stood in line. It is only looked at, not held: whoever
    takes one at this very moment is seen by the unique index."""
    held = select(Allocation).where(or_(Allocation.name.in_(names), Allocation.set_name.in_(names)))
    holder = session.scalar(held.where(Allocation.state != "released", Allocation.id != waiting.id).limit(1))
    if holder is not None:
        raise taken(caller, next(one for one in names if one in (holder.name, holder.set_name)), holder)


def _hostname(wanted: WantedSet, name: str, number: int) -> str:
    base = wanted.each.hostname or name.replace("_", "-").replace(".", "-")
    label, dot, domain = base.partition(".")
    return check_hostname("hostname", f"{label}-{number}{dot}{domain}")


def _held_ids(
    session: Session, wanted: WantedSet, request: Request, more: Sequence[ColumnElement[bool]]
) -> list[int]:
    """The best nodes, held until the transaction ends. When others take some of them meanwhile, the next best are looked
    for; what is held too much goes free with the transaction."""
    for _unused in range(_TRIES):
        for ids in choose(session, wanted, request, *more):
            free = select(Node.id).where(Node.id.in_(ids), *may_be_picked())
            held = set(session.scalars(hold(free)))
            if len(held) >= wanted.least:
                return [one for one in ids if one in held]
    return []


def choose(
    session: Session, wanted: WantedSet, request: Request, *more: ColumnElement[bool]
) -> Iterator[list[int]]:
    """Nodes that would do together, the best choice first; nothing is held."""
    same = places("same", wanted.same)
    if not same:
        ids = list(session.scalars(_spread(wanted, request, *more)))
        if len(ids) >= wanted.least:
            yield ids
        return
    for shared in session.execute(_places_by_worth(wanted, request, same, more)).all():
        there = [PLACES[place] == key for place, key in zip(same, shared, strict=False)]
        ids = list(session.scalars(_spread(wanted, request, *more, *there)))
        if len(ids) >= wanted.least:
            yield ids


def _fitting(request: Request, more: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    return [*may_be_picked(), *request.conditions, *more]


def _spread(wanted: WantedSet, request: Request, *more: ColumnElement[bool]) -> Select[int]:
    """The best nodes; spread ones come by turns, from each place its best first."""
    keys = [PLACES[place] for place in places("spread", wanted.each.spread)]
    if not keys:
        return best(request, *more, limit=wanted.count)
    turns = [func.row_number().over(partition_by=key, order_by=request.order).label(f"turn{index}") for index, key in enumerate(keys)]
    query = select(Node.id).where(*_fitting(request, more)).order_by(*turns, *request.order)
    return query.limit(wanted.count)


def _places_by_worth(
    wanted: WantedSet, request: Request, same: Sequence[str], more: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    """The places with enough nodes: first those that have all, then those whose best nodes waste least."""
    keys = [PLACES[place].label(place) for place in same]
    turn = func.row_number().over(partition_by=[PLACES[place] for place in same], order_by=request.order).label("turn")
    ranks = [rank.label(f"rank{index}") for index, rank in enumerate(request.ranks)]
    known = [PLACES[place].is_not(None) for place in same]
    nodes = select(*keys, *ranks, Node.cost, turn).where(*_fitting(request, more), and_(*known)).subquery()
    shared = [nodes.c[place] for place in same]
    return (
        select(*shared)
        .where(nodes.c.turn <= wanted.count)
        .group_by(*shared)
        .having(func.count() >= wanted.least)
        .order_by(func.count().desc(), *(func.sum(nodes.c[one.name]) for one in ranks), func.sum(nodes.c.cost), *shared)
    )


def could_be(session: Session, wanted: WantedSet, request: Request) -> bool:
    """Whether there are nodes enough that would do if they were free and the caller held nothing."""
    at_all = without(request, "quota")
    alone_in_pool = [*at_all.constraints, *quotas.could_ever(request.policies, wanted.least)]
    at_all = replace(at_all, constraints=alone_in_pool)
    same = places("same", wanted.same)
    if same and _most_in_one(session, at_all, same, EVER) < wanted.least:
        return False
    return quotas.most_ever(session, request.policies, [*at_all.conditions, EVER], wanted.least) == wanted.least


def why_no_set(
    session: Session, caller: Caller, wanted: WantedSet, request: Request, by_expression: ByExpression | None
) -> Problem:
    """The answer to a request for a set that cannot be met now."""
    if not could_be(session, wanted, request) and could_be(session, wanted, replace(without(request, "quota"), policies={})):
        return quotas.refuse(session, caller.user_id, request.policies)
    same = places("same", wanted.same)
    together = None
    if same:
        unlocked = Node.locked.is_(False)
        now = _most_in_one(session, request, same, READY & unlocked)
        ever = _most_in_one(session, request, same, (READY | IN_USE) & unlocked)
        together = Together(" and ".join(same), now, ever)
    return refusal(
        session, caller, wanted.each, request, wanted.least, by_expression=by_expression, together=together
    )


def _most_in_one(session: Session, request: Request, same: Sequence[str], state: ColumnElement[bool]) -> int:
    keys = [PLACES[place].label(place) for place in same]
    nodes = select(*keys).where(state, *request.conditions).subquery()
    shared = [nodes.c[place] for place in same]
    counts = select(func.count().label("nodes")).where(*(one.is_not(None) for one in shared)).group_by(*shared).subquery()
    return session.scalar(select(func.max(counts.c.nodes))) or 0
