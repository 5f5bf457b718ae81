"""What is so now, read from the rows when Prometheus asks: it is right whoever changed them, and after every restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory_service import __version__, clock
from inventory_service.metrics import Figure
from inventory_service.models import Allocation, Node, Operation, Pool, Rack
from inventory_service.models.allocation import STATES as ALLOCATION_STATES
from inventory_service.models.node import STATES as NODE_STATES
from inventory_service.queue_orders import WAITING

Values = dict[tuple[str, ...], float]
_NODES = select(Node.pool_id, Node.state, func.count()).group_by(Node.pool_id, Node.state)
_ALLOCATIONS = select(Allocation.state, func.count()).where(Allocation.state != "released").group_by(Allocation.state)
_OPEN = Operation.state.in_(("queued", "running"))
_OPERATIONS = (
    select(Rack.name, Operation.kind, Operation.state, func.count())
    .join(Rack, Rack.id == Operation.rack_id)
    .where(_OPEN)
    .group_by(Rack.name, Operation.kind, Operation.state)
)


def figures(session: Session, *, engine_alive: bool | None) -> list[Figure]:
    """All of them.

    :param engine_alive: None when that cannot be known from here
    """
    alive: Values = {} if engine_alive is None else {(): float(engine_alive)}
    first_in_line = _age(session, Allocation.queued_at, WAITING)
    oldest = _age(session, Operation.queued_at, Operation.state == "queued")
    return [
        _nodes(session),
        _allocations(session),
        Figure("metalpool_line_oldest_seconds", "How long the first in line has been waiting", (), {(): first_in_line}),
        _operations(session),
        Figure("metalpool_operations_oldest_queued_seconds", "How long an operation has been waiting for its worker", (),
               {(): oldest}),
        _racks(session),
        Figure("metalpool_engine_alive", "Whether the engine runs", (), alive),
        Figure("metalpool_build_info", "The version of the service", ("version",), {(__version__,): 1}),
    ]  # fmt: skip


def _nodes(session: Session) -> Figure:
    pools = dict(session.execute(select(Pool.id, Pool.name)).all())
    values: Values = {(name, state): 0 for name in pools.values() for state in NODE_STATES}
    for pool_id, state, count in session.execute(_NODES):
        if pool_id in pools:  # else it was made a moment ago
            values[pools[pool_id], state] = count
    return Figure("metalpool_nodes", "Nodes by pool and state", ("pool", "state"), values)


def _allocations(session: Session) -> Figure:
    values: Values = {(state,): 0 for state in ALLOCATION_STATES if state != "released"}
    values |= {(state,): count for state, count in session.execute(_ALLOCATIONS)}
    return Figure("metalpool_allocations", "Allocations that are not released, by state; the waiting are the line", ("state",), values)


def _operations(session: Session) -> Figure:
    values: Values = {(rack, kind, state): float(count) for rack, kind, state, count in session.execute(_OPERATIONS)}
    return Figure("metalpool_operations_open", "Operations that wait for a worker or are under way", ("rack", "kind", "state"), values)


def _racks(session: Session) -> Figure:
    seen = session.execute(select(Rack.name, Rack.last_seen_at).where(Rack.last_seen_at.is_not(None)))
    values: Values = {(name,): _seconds_since(at) for name, at in seen}
    return Figure("metalpool_rack_silent_seconds", "Since the rack's worker was heard of", ("rack",), values)


def _age(session: Session, column: object, condition: object) -> float:
    return _seconds_since(session.scalar(select(func.min(column)).where(condition)))  # type: ignore[arg-type]


def _seconds_since(moment: datetime | None) -> float:
    return max(0.0, (clock.now() - moment).total_seconds()) if moment else 0.0
