"""How much a user may hold of a pool: nodes, CPUs, memory. Checked in the transaction that takes a node.

Who holds nothing of a quota's kind pays one small query. Where a quota stands, the user's own row is held until the
transaction ends, so that the same user's requests at the same moment are counted one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import Session, joinedload

from inventory_service.constraints import Constraint
from inventory_service.events import record
from inventory_service.models import NODE, Allocation, Pool, Quota, User
from inventory_service.offers import offer_user
from inventory_service.policies import Amount, Policies
from inventory_service.problems import QuotaUsedUp

_SIZES = select(NODE.id, NODE.pool_id, NODE.cpus, NODE.memory_bytes)
_HOLDS = Allocation.state.not_in(("released", "waiting"))
_NOTHING = Amount(0, 0, 0)


def usage(session: Session, user_ids: Sequence[int]) -> dict[tuple[int, int | None], Amount]:
    """What users hold, by (user, pool)."""
    rows = session.execute(
        select(
            Allocation.user_id,
            Allocation.pool_id,
            func.count(),
            func.sum(Allocation.cpus),
            func.sum(Allocation.memory_bytes),
        )
        .where(Allocation.user_id.in_(user_ids), Allocation.pool_id.is_not(None), _HOLDS)
        .group_by(Allocation.user_id, Allocation.pool_id)
    )
    return {(user, pool): Amount(nodes, int(cpus), int(memory)) for user, pool, nodes, cpus, memory in rows}


def limits(session: Session, user_id: int, policies: Policies, count: int = 1) -> list[Constraint]:
    """Leaves out the nodes with which the user would exceed a quota.

    :param count: how many nodes are to be taken at once
    """
    limited = _limited(policies)
    if not limited:
        return []
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    used = usage(session, [user_id])
    return [
        Constraint("quota", pool, _room(pool_id, quota, used.get((user_id, pool_id), _NOTHING), count))
        for pool_id, pool, quota in limited
    ]


def _limited(policies: Policies) -> list[tuple[int, str, Amount]]:
    """The pools with a quota."""
    return [(one.pool_id, one.pool, one.quota) for one in policies.values() if one.quota is not None]


def _room(pool_id: int, quota: Amount, used: Amount, count: int) -> Any:
    """Whether a node is in another pool, or there is room for it."""
    elsewhere = NODE.pool_id != pool_id
    if quota.nodes is not None and (used.nodes or 0) + count > quota.nodes:
        return elsewhere
    room = [
        func.coalesce(column, 0) <= limit - (taken or 0)
        for column, limit, taken in (
            (NODE.cpus, quota.cpus, used.cpus),
            (NODE.memory_bytes, quota.memory_bytes, used.memory_bytes),
        )
        if limit is not None
    ]
    return or_(elsewhere, and_(true(), *room))


def could_ever(policies: Policies, count: int = 1) -> list[Constraint]:
    """As ``limits``, if the user held nothing."""
    return [
        Constraint("quota", pool, _room(pool_id, quota, _NOTHING, count)) for pool_id, pool, quota in _limited(policies)
    ]


def affordable(session: Session, user_id: int, policies: Policies, ids: Sequence[int]) -> list[int]:
    """Those of several nodes that the user may have together, the first ones first: ``limits`` looks at each alone."""
    limited = {pool_id: quota.document() for pool_id, _pool, quota in _limited(policies)}
    if not limited:
        return list(ids)
    used = usage(session, [user_id])
    sums = {pool_id: used.get((user_id, pool_id), _NOTHING).document() for pool_id in limited}
    known = {row.id: row for row in session.execute(_SIZES.where(NODE.id.in_(ids)))}
    found = []
    for node_id in ids:
        node = known[node_id]
        more = {"nodes": 1, "cpus": node.cpus or 0, "memory_bytes": node.memory_bytes or 0}
        together = {what: (sums[node.pool_id][what] or 0) + much for what, much in more.items()} if node.pool_id in limited else {}
        if all((most := limited[node.pool_id][what]) is None or much <= most for what, much in together.items()):
            found.append(node_id)
            sums[node.pool_id] = dict(together)
    return found


def most_ever(session: Session, policies: Policies, conditions: Sequence[ColumnElement[bool]], enough: int) -> int:
    """How many of the nodes that meet the conditions a user who held nothing might have together: no more than that, as
    far as each sum alone tells.

    :param enough: no more are counted
    """
    limited = {pool_id: quota for pool_id, _pool, quota in _limited(policies)}
    elsewhere = select(NODE.id).where(*conditions, NODE.pool_id.not_in(limited)).limit(enough).subquery()
    count = session.scalar(select(func.count()).select_from(elsewhere)) or 0
    for pool_id, quota in limited.items():
        most = enough if quota.nodes is None else min(enough, quota.nodes)
        for column, limit in ((NODE.cpus, quota.cpus), (NODE.memory_bytes, quota.memory_bytes)):
            size = func.coalesce(column, 0)
            smallest = session.scalars(select(size).where(*conditions, NODE.pool_id == pool_id).order_by(size).limit(enough))
            sums = list(accumulate(smallest))
            most = min(most, sum(limit is None or one <= limit for one in sums))
        count += most
    return min(count, enough)


def refuse(session: Session, user_id: int, policies: Policies) -> QuotaUsedUp:
    """The error that tells which limits there are, how much is used, and by which allocations."""
    used = usage(session, [user_id])
    holding = session.execute(
        select(Allocation.pool_id, Allocation.name).where(Allocation.user_id == user_id, _HOLDS).order_by(Allocation.id)
    ).all()
    said = [
        {
            "pool": pool,
            "limit": quota.document(),
            "used": used.get((user_id, pool_id), _NOTHING).document(),
            "allocations": [name for holding_id, name in holding if holding_id == pool_id],
        }
        for pool_id, pool, quota in _limited(policies)
    ]
    return QuotaUsedUp("; ".join(_say(one) for one in said) + "; release some of these, or wait", quotas=said)


def _say(one: dict[str, Any]) -> str:
    parts = [f"{one['used'][what]} of {limit} {what}" for what, limit in one["limit"].items() if limit is not None]
    return f"quota of pool {one['pool']}: {', '.join(parts)} used by {', '.join(one['allocations']) or 'nobody'}"


def set_quota(session: Session, pool: Pool, user: User | None, limit: Amount, actor: str) -> Quota:
    """Set how much a user, or everybody who has no quota of their own, may hold of a pool. What is held stays."""
    quota = _find(session, pool, user)
    before = Amount(quota.nodes, quota.cpus, quota.memory_bytes) if quota else None
    if quota is None:
        quota = Quota(pool=pool, user=user)
        session.add(quota)
    if before != limit:
        quota.nodes, quota.cpus, quota.memory_bytes = limit.nodes, limit.cpus, limit.memory_bytes
        record(session, "quota.set", actor, pool=pool.name, user=user.name if user else None, limit=limit.document())
        _offer(session, user)
    session.flush()
    return quota


def delete_quota(session: Session, pool: Pool, user: User | None, actor: str) -> bool:
    """Take a quota away; False when there is none."""
    quota = _find(session, pool, user)
    if quota is None:
        return False
    session.delete(quota)
    record(session, "quota.deleted", actor, pool=pool.name, user=user.name if user else None)
    _offer(session, user)
    return True


def _find(session: Session, pool: Pool, user: User | None) -> Quota | None:
    whose = Quota.user_id.is_(None) if user is None else Quota.user_id == user.id
    return session.scalar(
        select(Quota).where(Quota.pool_id == pool.id, whose).options(joinedload(Quota.pool), joinedload(Quota.user))
    )


def _offer(session: Session, user: User | None) -> None:
    """Those who wait may take what the quota kept from them."""
    waiting = select(Allocation.user_id).where(Allocation.state == "waiting").distinct()
    for user_id in session.scalars(waiting if user is None else waiting.where(Allocation.user_id == user.id)):
        offer_user(session, user_id)
