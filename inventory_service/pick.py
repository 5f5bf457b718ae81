"""Which node fits best: one statement over the index of ready nodes, cheapest first, then the one used longest ago.

What may be picked at all stands here once (``may_be_picked``); what a request adds to it comes from ``constraints``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, case, exists, false, func, literal_column, or_, select, tuple_
from sqlalchemy.orm import Session

from inventory_service import leases, quotas
from inventory_service.addresses import GETS_ADDRESSES, wanted_constraints
from inventory_service.apart import elsewhere
from inventory_service.auth import Caller
from inventory_service.constraints import Constraint, Least, parse, parse_preferences
from inventory_service.constraints import disks as disk_words
from inventory_service.constraints.columns import words_of
from inventory_service.constraints.disks import Root
from inventory_service.cost import hardware_cost, weights_of
from inventory_service.db import among, side_by_side
from inventory_service.images import find_image
from inventory_service.models import NODE, NODES, Disk, Image
from inventory_service.policies import Policies, policies_of
from inventory_service.prepared import SLOT, Prepared, at_least
from inventory_service.rights import let_ask, usable
from inventory_service.states import Moved, advance_chosen, moving
from inventory_service.wanted import Wanted

READY = NODE.state == literal_column("'ready'")
TELL: tuple[ColumnElement[Any], ...] = (
    literal_column("(SELECT zone.name FROM zone WHERE zone.id = node.zone_id)", String).label("zone"),
    GETS_ADDRESSES.label("gets_addresses"),
)
"""What is told of a node that is picked, besides what its row says: the name of its zone, and whether it gets addresses."""
HAS_ROOT = NODE.root_disk.is_not(None)
"""It is clear which disk is for ``/``."""
_ORDER: tuple[Any, ...] = (NODE.cost, NODE.idle_since, NODE.id)
"""What wastes least first, then what was used longest ago."""
CLEAR_ROOT = "(unambiguous)"
"""The value of the constraint ``root_disk`` where nobody said which disk."""
_FIRST = 500
"""How many of the cheapest nodes are looked at before a rare tag is thought of."""
_FEW = 10_000
"""Fewer nodes than this are looked at one by one sooner than the index of ready nodes leads past all others."""


@dataclass(frozen=True)
class Request:
    """What a user asks for, as SQL.

    :param constraints: all that the node must have
    :param preferences: what it should rather have, the most important first
    :param visible: which nodes the caller may use at all; the others are not even counted
    :param root: what the disk for ``/`` has to be besides
    :param least: what a node has at least that meets the constraints
    :param least_cost: and what it costs at least
    :param policies: what counts for the user in each pool
    """

    constraints: Sequence[Constraint] = ()
    preferences: Sequence[Constraint] = ()
    visible: Sequence[ColumnElement[bool]] = ()
    root: Root = field(default_factory=Root)
    least: Least = field(default_factory=Least)
    least_cost: float = 0.0
    policies: Policies = field(default_factory=dict)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a free node has to meet; first what follows from it."""
        return [*self.dear_enough, *self.least.bounds, *self.visible, *(one.condition for one in self.constraints)]

    @property
    def dear_enough(self) -> list[ColumnElement[bool]]:
        """What a node costs that meets the constraints; the index of ready nodes starts there."""
        return [at_least(NODE.cost, self.least_cost * (1 - 1e-9))] if self.least_cost else []

    @property
    def ranks(self) -> list[Any]:
        """For each preference 0 where it is met."""
        return _ranks([one.condition for one in self.preferences])

    @property
    def order(self) -> list[Any]:
        """The best first: preferences, then what wastes least, then what was used longest ago."""
        return [*self.ranks, *_ORDER]

    def strictly(self) -> Request:
        """The request whose preferences are constraints: the index then leads straight to the best node."""
        return replace(self, constraints=[*self.constraints, *self.preferences], preferences=())

    def root_is_unclear(self) -> bool:
        """Whether a node is excluded when it is not clear which of its disks an image goes to."""
        return any(one.value == CLEAR_ROOT for one in self.constraints)

    def but_for(self, value: str) -> Request:
        """The request without the constraints of this value."""
        return replace(self, constraints=[one for one in self.constraints if one.value != value])


def _ranks(preferred: Sequence[ColumnElement[bool]]) -> list[Any]:
    return [case((one, 0), else_=1) for one in preferred]


def may_be_picked() -> list[ColumnElement[bool]]:
    """What every node has to be, whatever is asked for."""
    return [READY, NODE.locked.is_(False)]


def understand(
    session: Session, caller: Caller, wanted: Wanted, count: int = 1, *, policies: Policies | None = None
) -> Request:
    """The request in SQL.

    :param count: how many such nodes are wanted at once
    :param policies: what counts for the caller in each pool, where it was read in this transaction already
    :raises Invalid: a constraint or an image that means nothing
    """
    let_ask(session, caller)
    image = find_image(session, wanted.image) if wanted.image else None
    root = Root(wanted.root_disk, image.disk_bytes if image else 0)
    constraints = parse(session, wanted.constraints, root)
    by_disks = any(one.name == "disks" for one in constraints)
    if image:
        constraints.append(Constraint("image", image.name, _image_fits(image, by_disks)))
    if wanted.root_disk:
        has_it = exists().where(Disk.node_id == NODE.id, Disk.serial == wanted.root_disk).correlate(NODES)
        constraints.append(Constraint("root_disk", wanted.root_disk, has_it))
    elif wanted.deploy and image and not by_disks:
        constraints.append(Constraint("root_disk", CLEAR_ROOT, HAS_ROOT))
    constraints += wanted_constraints(session, wanted.addresses)
    policies = policies if policies is not None else policies_of(session, caller.user_id)
    constraints += [*leases.limits(policies, wanted), *quotas.limits(session, caller.user_id, policies, count)]
    apart = elsewhere(session, caller, wanted.not_with, wanted.spread)
    constraints += [Constraint("not_with", words_of(wanted.not_with), one) for one in apart]
    least = reduce(Least.and_also, (one.least for one in constraints), Least())
    return Request(
        constraints=constraints,
        preferences=parse_preferences(session, wanted.prefer),
        visible=usable(session, caller),
        root=root,
        least=least,
        least_cost=hardware_cost(
            least.cpus, least.memory_bytes, least.storage_bytes, least.gpus, weights_of(session)
        ),
        policies=policies,
    )


def _image_fits(image: Image, by_disks: bool) -> ColumnElement[bool]:
    boots = or_(NODE.firmware.is_(None), NODE.firmware.in_(image.boot)) if image.boot else false()
    fits = (NODE.arch == image.arch) & boots
    return fits if by_disks else fits & or_(NODE.disk_bytes.is_(None), NODE.disk_bytes >= image.disk_bytes)


def best(request: Request, *more: ColumnElement[bool], limit: int | None = 1) -> Select[int]:
    """The query for the ids of the best nodes, best first.

    :param more: what a node has to meet besides, such as ``Node.id == 7``
    """
    way = _only_way(request, *more)
    query = _query(request.order, way.conditions, way.hint)
    return query if limit is None else query.limit(literal_column(str(limit)))


_BY_COST = "INDEXED BY ix_node_free"


class Way(NamedTuple):
    """A way to find the best node.

    :param hint: how SQLite has to look at the nodes
    """

    conditions: Sequence[ColumnElement[bool]]
    hint: str | None = _BY_COST


def _query(order: Sequence[Any], conditions: Sequence[ColumnElement[bool]], hint: str | None) -> Select[int]:
    query = select(NODE.id).where(*may_be_picked(), *conditions).order_by(*order)
    return query.with_hint(NODES, hint, "sqlite") if hint else query


def _only_way(request: Request, *more: ColumnElement[bool]) -> Way:
    """Along the index of ready nodes, unless it is said which ones they are."""
    which = bool(more) or any(one.name == "node" for one in request.constraints)
    return Way([*request.conditions, *more], None if which else _BY_COST)


def ways(session: Session, request: Request, *more: ColumnElement[bool]) -> Iterator[Way]:
    """Ways to the best node, to be gone until one finds it; the last of them finds it if there is any.

    Along the index of ready nodes the first that fits is near when many fit. When only the dearest have a tag it is far,
    and the index of tags leads straight to them. Which of both it is shows after a few hundred nodes.
    """
    whole = _only_way(request, *more)
    if more or not any(one.among is not None for one in request.constraints):
        yield whole
        return
    if not request.preferences:  # which may rank a dear node first
        yield Way([*whole.conditions, _among_the_cheapest(*request.dear_enough)], whole.hint)
    rare = _rare(session, request)
    if rare is None:
        yield whole
        return
    others = replace(request, constraints=[one for one in request.constraints if one.among is not rare])
    yield Way([*others.conditions, among(session, NODE.id, rare)], "NOT INDEXED")


@lru_cache(1024)
def _among_the_cheapest(*dear_enough: ColumnElement[bool]) -> ColumnElement[bool]:
    """Up to the last of the first few in the index of ready nodes, from where it starts for a request."""
    first = select(*_ORDER).where(READY, *dear_enough).order_by(*_ORDER).limit(literal_column(str(_FIRST)))
    there = first.with_hint(NODES, _BY_COST, "sqlite").subquery("first").c
    last = select(*there).order_by(*(one.desc() for one in there)).limit(literal_column("1"))
    return tuple_(*_ORDER) <= last.scalar_subquery()


def _rare(session: Session, request: Request) -> Select[int] | None:
    """The ids of the fewest nodes that meet a constraint, when they are few."""
    lists = [one.among for one in request.constraints if one.among is not None]
    some = [select(func.count()).select_from(one.limit(_FEW).subquery()).scalar_subquery() for one in lists]
    lengths = session.execute(select(*some)).one()
    shortest = min(range(len(lists)), key=lambda index: int(lengths[index]))
    return lists[shortest] if lengths[shortest] < _FEW else None


def hold(query: Select[int]) -> Select[int]:
    """Hold the rows until the transaction ends, passing over those that others hold."""
    return query.with_for_update(of=NODES, skip_locked=True)


def pick(session: Session, request: Request, *more: ColumnElement[bool]) -> Moved | None:
    """Take the best node: it is ``allocated`` when this answers; None when none is free.

    A node that meets all preferences is looked for first. Nodes that another transaction holds at this moment are passed
    over. When that leaves none, they are waited for: the other transaction may give up, and a no has to be true.
    """
    session.flush()
    way = Way(())
    for one in [request.strictly(), request] if request.preferences else [request]:
        for way in ways(session, one, *more):
            moved = _take(session, one, way, passing_over=True)
            if moved:
                return moved
    if not side_by_side(session) or session.scalar(_query(request.order, way.conditions, way.hint).limit(1)) is None:
        return None
    return _take(session, request, way, passing_over=False)


def _take(session: Session, request: Request, way: Way, *, passing_over: bool) -> Moved | None:
    taking = _taking(tuple(one.condition for one in request.preferences), way.hint, passing_over=passing_over)
    return next(iter(advance_chosen(session, taking, way.conditions)), None)


@lru_cache(256)
def _taking(preferred: Sequence[ColumnElement[bool]], hint: str | None, *, passing_over: bool) -> Prepared:
    """The statement that takes the best node; made once, but for the conditions.

    :param passing_over: whether nodes are passed over that others hold; they are waited for otherwise
    """
    query = _query([*_ranks(preferred), *_ORDER], [SLOT], hint).limit(literal_column("1"))
    return moving(hold(query) if passing_over else query.with_for_update(of=NODES), "ready", "allocate", *TELL)


def fits(session: Session, node_id: int, request: Request) -> bool:
    """Whether this node is free and is what the request asks for."""
    session.flush()
    this = select(NODE.id).where(*may_be_picked(), *request.conditions, NODE.id == node_id)
    return session.scalar(this) is not None


def root_disk_of(session: Session, node_id: int, wanted: Wanted, request: Request) -> str | None:
    """Which disk of a picked node ``/`` goes to, where the request says something of it."""
    if wanted.root_disk or not wanted.constraints.get("disks"):
        return wanted.root_disk
    return disk_words.root_disk(session, node_id, "constraints.disks", wanted.constraints["disks"], request.root)
