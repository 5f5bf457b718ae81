"""Which nodes fail what of a request: how many, and which miss least.

Which constraints a node fails stands in one number, a bit each, so that a handful of rows says how many nodes fail what,
alone and together. A request mostly asks for what alike nodes share: then one is judged for all of its crowd, which makes
a thousand nodes of a hundred thousand. An index has the crowds one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnClause,
    ColumnElement,
    Float,
    SelectBase,
    TextClause,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from inventory_service.constraints import Constraint
from inventory_service.db import among
from inventory_service.models import ALIKE, NODE, NODES
from inventory_service.pick import HAS_ROOT, READY, Request
from inventory_service.states import USERS, WORKING

NEAREST = 5
IN_USE = NODE.state.in_(sorted(USERS | WORKING))
"""States from which a node becomes ready by itself, or when its user releases it."""
STATE, LOCKED, _GONE = 1, 2, 4
"""Bits of a verdict: the node is not ready, it is locked, it will not come back by itself."""
_OWN_BITS = 3
_SOME, _WORTH_IT = 1000, 4
"""How many nodes are looked at to see whether there are crowds, and how many make one on the average."""
_KINDS = select(func.count(select(NODE.alike).order_by(NODE.alike).limit(bindparam("some")).subquery().c.alike.distinct()))
_KEY = ("alike", "state", "locked")
"""The nodes that share these are one crowd."""
_CROWDS = select(*(NODE[one] for one in _KEY), func.count().label("nodes")).group_by(*(NODE[one] for one in _KEY))
_CROWD = _CROWDS.cte("crowd").prefix_with("MATERIALIZED")
_OTHER = NODES.alias("other").c
_ANY_OF_IT = select(_OTHER.id).where(*(_OTHER[one] == _CROWD.c[one] for one in _KEY)).limit(1).correlate(_CROWD)
_OF_ITS_CROWD = select(_OTHER.id).where(NODE.id == bindparam("one"), *(_OTHER[one] == NODE[one] for one in _KEY)).limit(NEAREST)


class Near(NamedTuple):
    """A node that misses little, in the order of how little.

    :param missing: the sum of what it misses of each constraint: a part of the amount, or 1
    :param state: 0 when it is ready
    :param bits: what it fails
    """

    missing: float
    state: int
    cost: float
    id: int
    bits: int


@dataclass(frozen=True)
class Verdicts:
    """How many nodes fail which constraints.

    :param counts: number of nodes by the set of what they fail, as bits
    :param near: the nodes that miss least
    """

    counts: dict[int, int]
    near: list[Near]

    def failing(self, bit: int) -> int:
        """Nodes that fail this, whatever else."""
        return sum(count for bits, count in self.counts.items() if bits & bit)

    def failing_only(self, bit: int) -> int:
        """Nodes that fail this and nothing else."""
        return sum(count for bits, count in self.counts.items() if bits & ~_GONE == bit)

    @property
    def considered(self) -> int:
        return sum(self.counts.values())

    @property
    def free(self) -> int:
        """Nodes that fit and could be had at once."""
        return self.counts.get(0, 0)

    @property
    def in_use(self) -> int:
        """Nodes that fit and will be ready again."""
        return self.counts.get(STATE, 0)


def bit_of(index: int) -> int:
    """The bit of one of the request's constraints."""
    return 1 << (index + _OWN_BITS)


def judge(session: Session, request: Request) -> Verdicts:
    """Judge all nodes that the caller may see, in one statement."""
    crowds = all(map(_is_shared, (*request.visible, *(one.condition for one in request.constraints)))) and _are_crowds(session)
    judged = _judged(session, request, crowds)
    nodes = cast(func.sum(judged.c.nodes), BigInteger)
    counts = select(literal(0).label("what"), judged.c.bits, nodes.label("number"), null().label("missing"), null().label("cost"))
    missing = reduce(add, (_missing(judged, index, one) for index, one in enumerate(request.constraints)), literal(0.0))
    near = (
        select(literal(1), judged.c.bits, judged.c.id, missing.label("missing"), judged.c.cost)
        .where(judged.c.bits >= bit_of(0), judged.c.bits.bitwise_and(LOCKED | _GONE) == 0)
        .order_by(missing, judged.c.bits.bitwise_and(STATE), judged.c.cost, judged.c.id)
        .limit(NEAREST)
        .subquery()
    )
    rows = session.execute(counts.group_by(judged.c.bits).union_all(select(near))).all()
    found = sorted(Near(far, bits & STATE, cost, number, bits) for what, bits, number, far, cost in rows if what == 1)
    return Verdicts(
        {bits: number for what, bits, number, *_unused in rows if what == 0},
        _of_their_crowds(session, found) if crowds else found,
    )


def _is_shared(condition: ColumnElement[bool]) -> bool:
    """Whether alike nodes all meet a condition, or all fail it: it looks at nothing else of them."""
    if condition.compare(HAS_ROOT):
        return True
    looked_at = list(visitors.iterate(condition))
    if any(isinstance(one, SelectBase | TextClause) for one in looked_at):
        return False
    return all(one.key in ALIKE for one in looked_at if isinstance(one, ColumnClause))


def _are_crowds(session: Session) -> bool:
    """Whether the nodes of this pool are alike at all: one for whom nobody else stands costs more to find than to judge."""
    return (session.scalar(_KINDS, {"some": _SOME}) or 0) < _SOME / _WORTH_IT


def _judged(session: Session, request: Request, crowds: bool) -> CTE:
    """Of each node, or each crowd, what it fails, which is found out once, and the amounts that constraints are about."""
    fails: list[Any] = [
        case((READY, 0), (IN_USE, STATE), else_=STATE | _GONE),
        case((NODE.locked.is_(False), 0), else_=LOCKED),
        *(case((and_(*one.least.bounds, one.condition), 0), else_=bit_of(index)) for index, one in enumerate(request.constraints)),
    ]
    amounts = {one.quantity.column.key: one.quantity.column for one in request.constraints if one.quantity is not None}
    has = [func.coalesce(column, 0).label(f"has_{name}") for name, column in amounts.items()]
    judged = select(NODE.id, NODE.cost, reduce(add, fails).label("bits"), *has).where(*request.visible)
    if crowds:
        judged = judged.add_columns(_CROWD.c.nodes).join_from(_CROWD, NODES, among(session, NODE.id, _ANY_OF_IT))
    else:
        judged = judged.add_columns(literal(1).label("nodes"))
    return judged.cte("judged").prefix_with("MATERIALIZED")


def _missing(judged: CTE, index: int, one: Constraint) -> Any:
    """How far a node is from meeting a constraint: 0 when it does, a part of the amount, or 1 for what has no amount."""
    part: Any = literal(1.0)
    if one.quantity is not None:
        has = judged.c[f"has_{one.quantity.column.key}"]
        least, most = one.quantity.least, one.quantity.most
        parts = [((has < least), (least - has) / cast(literal(least), Float))] if least is not None else []
        if most is not None:
            parts.append(((has > most), (has - most) / cast(literal(most), Float)))
        part = case(*parts, else_=1.0)
    return case((judged.c.bits.bitwise_and(bit_of(index)) == 0, 0.0), else_=part)


def _of_their_crowds(session: Session, found: list[Near]) -> list[Near]:
    """The nearest nodes of the nearest crowds, of each of which one node is known."""
    nearest: list[Near] = []
    for one in found:
        if len(nearest) == NEAREST and nearest[-1] < one:
            break
        ids = session.scalars(_OF_ITS_CROWD, {"one": one.id})
        nearest = sorted([*nearest, *(one._replace(id=number) for number in ids)])[:NEAREST]
    return nearest
