"""Who may do what in which pool: one table of roles, and the conditions on rows that follow from it.

What one may not see does not exist for one: it is not found, not listed, and not counted in explanations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, bindparam, false, literal_column, or_, select, union_all
from sqlalchemy.orm import Session

from inventory_service.auth import SCOPES, Caller
from inventory_service.db import connection_of
from inventory_service.models import NODE, Allocation, AllocationPool, Event, Grant, GroupMember, Node, Operation, Pool
from inventory_service.prepared import Prepared, among
from inventory_service.problems import Forbidden

SEE, ACQUIRE, OPERATE, ADMINISTRATE = "see", "acquire", "operate", "administrate"

ROLES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "viewer": (SEE,),
    "user": (SEE, ACQUIRE),
    "operator": (SEE, ACQUIRE, OPERATE),
    "administrator": (SEE, ACQUIRE, OPERATE, ADMINISTRATE),
}
"""What each role may do in a pool, the least role first.

*see*: the pool, its nodes with their hardware, and who holds them. *acquire*: take nodes; what one holds one may deploy
and release. *operate*: commission, test, switch, change, set aside and release nodes, whoever holds them, and see their
BMCs, events, operations and allocations, and who waits for one. *administrate*: everything else, in all pools: administrators.
"""
GRANTED = ("viewer", "user", "operator")
"""The roles that can be granted; ``none`` and these up to ``user`` can be a pool's default."""
_ASKS = "who asks"
_RANK = {role: rank for rank, role in enumerate(ROLES)}
_USER: BindParameter[int] = bindparam("user")
_FOUND = Prepared(
    union_all(
        select(literal_column("1"), Pool.id, Pool.default_role),
        select(literal_column("0"), Grant.pool_id, Grant.role).where(Grant.user_id == _USER),
        select(literal_column("0"), Grant.pool_id, Grant.role)
        .join(GroupMember, GroupMember.group_id == Grant.group_id)
        .where(GroupMember.user_id == _USER),
    )
)
"""All pools with what every user may do in them, then what is granted to one user."""


@dataclass(frozen=True)
class Rights:
    """The role of one caller in each pool, by the pool's id."""

    roles: Mapping[int, str]

    def may(self, act: str, pool_id: int) -> bool:
        """Whether the caller may do this in that pool."""
        return act in ROLES[self.roles.get(pool_id, "none")]

    def pools(self, act: str) -> list[int]:
        """The pools in which the caller may do this."""
        return sorted(pool_id for pool_id in self.roles if self.may(act, pool_id))


def rights_of(session: Session, caller: Caller) -> Rights:
    """The caller's rights; one query, once for each caller, which is once a request."""
    for kept in caller.kept_rights:
        if isinstance(kept, Rights):
            return kept
    roles: dict[int, str] = {}
    granted: list[tuple[int | None, str]] = []
    # A worker has its rack instead.
    everywhere = "administrator" if caller.administrator or caller.is_admin else None if caller.role == "user" else "none"
    for is_pool, pool_id, role in _FOUND(connection_of(session), {"user": caller.user_id}):
        if is_pool and pool_id is not None:
            roles[pool_id] = everywhere or role
        else:
            granted.append((pool_id, role))
    if everywhere is None:
        for pool_id, role in granted:
            for place in roles if pool_id is None else (pool_id,):
                roles[place] = max(roles[place], role, key=_RANK.__getitem__)
    if caller.scope != "admin":
        most = SCOPES[caller.scope]
        roles = {place: min(role, most, key=_RANK.__getitem__) for place, role in roles.items()}
    rights = Rights(roles)
    caller.kept_rights.append(rights)
    return rights


def let_ask(session: Session, caller: Caller) -> None:
    """Requests that are understood in this session are this caller's: names that the caller may not see mean nothing."""
    session.info[_ASKS] = caller


def named_nodes(session: Session) -> list[ColumnElement[bool]]:
    """What a node has to meet to be named by who asks in this session."""
    asks = session.info.get(_ASKS)
    return visible(session, asks) if isinstance(asks, Caller) else []


def named_pools(session: Session) -> list[int] | None:
    """The pools that may be named by who asks in this session; None is all."""
    asks = session.info.get(_ASKS)
    return _seen_pools(session, asks) if isinstance(asks, Caller) else None


def may(session: Session, caller: Caller, act: str, pool_id: int) -> bool:
    """Whether the caller may do this in that pool."""
    return caller.is_admin or rights_of(session, caller).may(act, pool_id)


def need(session: Session, caller: Caller, act: str, node: Node) -> None:
    """Go on only when the caller may do this with a node that the caller sees.

    :raises Forbidden: the caller may not
    """
    if not may(session, caller, act, node.pool_id):
        raise Forbidden(f"you may not {act} nodes of this pool; its administrators grant roles", field="node", value=node.name)


def _pools(session: Session, caller: Caller, act: str) -> list[int] | None:
    if caller.is_admin:
        return None
    rights = rights_of(session, caller)
    allowed = rights.pools(act)
    return None if len(allowed) == len(rights.roles) else allowed


def usable(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """What a node has to meet to be acquired by the caller; nothing when all pools are open to the caller."""
    pools = _pools(session, caller, ACQUIRE)
    return [] if pools is None else [among(NODE.pool_id, tuple(pools))]


def visible(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """What a node has to meet to exist for the caller: its pool may be seen, or the caller holds it."""
    if caller.role == "worker":
        return [Node.rack_id == caller.rack_id]
    pools = _pools(session, caller, SEE)
    if pools is None:
        return []
    held = select(Allocation.node_id).where(Allocation.user_id == caller.user_id, Allocation.state != "released")
    return [or_(Node.pool_id.in_(pools), Node.id.in_(held))]


def visible_pools(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """What a pool has to meet to exist for the caller."""
    pools = _seen_pools(session, caller)
    return [] if pools is None else [Pool.id.in_(pools)]


def _seen_pools(session: Session, caller: Caller) -> list[int] | None:
    return None if caller.role == "worker" else _pools(session, caller, SEE)


def _operated(session: Session, caller: Caller, column: ColumnElement[int] | ColumnElement[int | None]) -> ColumnElement[bool]:
    pools = rights_of(session, caller).pools(OPERATE)
    return column.in_(select(Node.id).where(Node.pool_id.in_(pools))) if pools else false()


def visible_allocations(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """One's own, and all in the pools that one operates: those that hold a node there, or wait for one that is there."""
    if caller.is_admin:
        return []
    operated = rights_of(session, caller).pools(OPERATE)
    waits_there = select(AllocationPool.allocation_id).where(AllocationPool.pool_id.in_(operated))
    waiting = (Allocation.state == "waiting") & Allocation.id.in_(waits_there) if operated else false()
    return [or_(Allocation.user_id == caller.user_id, _operated(session, caller, Allocation.node_id.expression), waiting)]


def visible_operations(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """Those of one's own allocations, and all on nodes of the pools that one operates; a worker's rack's."""
    if caller.is_admin:
        return []
    if caller.role == "worker":
        return [Operation.rack_id == caller.rack_id]
    own = select(Allocation.id).where(Allocation.user_id == caller.user_id)
    return [or_(Operation.allocation_id.in_(own), _operated(session, caller, Operation.node_id.expression))]


def visible_events(session: Session, caller: Caller) -> list[ColumnElement[bool]]:
    """Those of one's own allocations, and all of nodes in the pools that one operates."""
    if caller.is_admin:
        return []
    return [or_(Event.allocation_user_id == caller.user_id, _operated(session, caller, Event.node_id.expression))]
