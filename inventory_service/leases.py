"""Allocations that end by themselves: what a pool allows, when a lease begins and ends, and what is due about it.

A lease counts from the moment the node is got. Its notice, its end and, after a grace, the release are in the row
(``due_at``): ``timekeeping`` does them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.constraints import Constraint
from inventory_service.db import touch
from inventory_service.durations import parse_end, say_duration, say_moment
from inventory_service.events import record
from inventory_service.models import NODE, Allocation, Pool
from inventory_service.policies import Policies, Policy
from inventory_service.problems import Conflict, Invalid
from inventory_service.wanted import Wanted

ENDING = ("waiting", "releasing", "released")
"""States of an allocation in which its lease means nothing."""


def limits(policies: Policies, wanted: Wanted) -> list[Constraint]:
    """Leaves out the nodes of pools whose policy does not allow such a lease, or none at all.

    :raises Invalid: the lease means nothing
    """
    refusing = _refusing(policies, wanted)
    if not refusing:
        return []
    value = str(wanted.lease) if wanted.lease else "(none)"
    return [Constraint("lease", value, NODE.pool_id.not_in([one.pool_id for one in refusing]))]


def refuse(policies: Policies, wanted: Wanted) -> Invalid:
    """The error that tells what the pools allow that refused."""
    said = [f"pool {one.pool} {_rule(one)}" for one in _refusing(policies, wanted)]
    return Invalid("lease", wanted.lease, "; ".join(said), said)


def _refusing(policies: Policies, wanted: Wanted) -> Sequence[Policy]:
    if not wanted.lease:
        return [one for one in policies.values() if one.lease_required and one.lease_default_seconds is None]
    now = clock.now()
    seconds = (parse_end("lease", wanted.lease, now) - now).total_seconds()
    return [one for one in policies.values() if (longest := one.lease_first_seconds) is not None and seconds > longest]


def _rule(policy: Policy) -> str:
    longest = policy.lease_first_seconds
    at_most = f"at most {say_duration(timedelta(seconds=longest))}" if longest is not None else "of any length"
    return f"requires a lease, {at_most}" if policy.lease_required else f"allows leases of {at_most}"


def begin(session: Session, wanted: Wanted, policy: Policy) -> dict[str, Any]:
    """The columns of an allocation whose lease begins now.

    :param policy: that of the node's pool
    """
    now = clock.now()
    end = parse_end("lease", wanted.lease, now) if wanted.lease else None
    if end is None and policy.lease_default_seconds is not None:
        end = now + timedelta(seconds=policy.lease_default_seconds)
    if end is not None:
        touch(session, "due")
    return {
        "held_since": now,
        "expires_at": end,
        "lease_seconds": int((end - now).total_seconds()) if end else None,
        "noticed_at": None,
        "expired_at": None,
        "due_at": _notice_at(policy, now, end) if end else None,
    }


def _notice_at(pool: Pool | Policy, since: datetime, end: datetime) -> datetime:
    """When the end is announced; of a lease that is short, after half of it."""
    return end - min(timedelta(seconds=pool.lease_notice_seconds), (end - since) / 2)


def extend(session: Session, allocation: Allocation, field: str, value: str, actor: str) -> None:
    """Let a lease end later: so long from now, or at that moment.

    :param field: what the user calls the value: ``lease`` or ``until``
    :raises Conflict: it has no lease, or its node is given back already
    :raises Invalid: the pool does not allow an end so late (the answer tells the latest), or it is not later
    """
    if allocation.state in ENDING or allocation.expires_at is None or allocation.pool_id is None:
        why = (
            f"it is {allocation.state}"
            if allocation.state in ENDING
            else "it has no lease, so it does not end by itself"
        )
        raise Conflict(
            f"allocation {allocation.name!r} cannot be extended: {why}", field="state", value=allocation.state
        )
    now = clock.now()
    before, end = allocation.expires_at, parse_end(field, value, now)
    latest = latest_end(session.get_one(Pool, allocation.pool_id), allocation, now)
    if latest is not None and end > latest:
        raise Invalid(
            field,
            value,
            f"{say_moment(end)} is later than the pool allows: the latest end is {say_moment(latest)}",
            f"until {say_moment(latest)}",
        )
    if end <= before:
        raise Invalid(
            field, value, f"{say_moment(end)} is not later than its present end", f"after {say_moment(before)}"
        )
    allocation.expires_at = end
    allocation.noticed_at = allocation.expired_at = None
    allocation.due_at = now
    record(
        session, "allocation.extended", actor, allocation=allocation, before=say_moment(before), until=say_moment(end)
    )
    touch(session, "due", f"allocation:{allocation.id}")


def latest_end(pool: Pool, allocation: Allocation, now: datetime) -> datetime | None:
    """The latest end that an extension may ask for at this moment; None when the pool sets no limit."""
    since = allocation.held_since or allocation.created_at
    ends = [now + timedelta(seconds=pool.lease_max_seconds)] if pool.lease_max_seconds is not None else []
    if pool.lease_total_seconds is not None:
        ends.append(since + timedelta(seconds=pool.lease_total_seconds))
    return min(ends, default=None)


def policy_changed(session: Session, pool: Pool) -> None:
    """When the pool's notice or grace are others now, what is due about its leases is too."""
    session.execute(
        update(Allocation)
        .where(Allocation.pool_id == pool.id, Allocation.expires_at.is_not(None), Allocation.state.not_in(ENDING))
        .values(due_at=clock.now())
    )
    touch(session, "due")


def announce(session: Session, allocation: Allocation) -> bool:
    """Write the events that are due, and when the next thing is; whether the node is to be released now."""
    now, end = clock.now(), allocation.expires_at
    allocation.due_at = None
    if end is None or allocation.pool_id is None or allocation.state in ENDING:
        return False
    pool = session.get_one(Pool, allocation.pool_id)
    notice_at = _notice_at(pool, allocation.held_since or allocation.created_at, end)
    release_at = end + timedelta(seconds=pool.lease_grace_seconds)
    said = {"until": say_moment(end), "release_at": say_moment(release_at)}
    if allocation.noticed_at is None and notice_at <= now < end:
        allocation.noticed_at = now
        record(session, "allocation.expiring", "engine", allocation=allocation, lease=said)
    if allocation.expired_at is None and end <= now:
        allocation.expired_at = now
        record(session, "allocation.expired", "engine", allocation=allocation, lease=said)
    allocation.due_at = min((one for one in (notice_at, end, release_at) if one > now), default=None)
    touch(session, f"allocation:{allocation.id}")
    return release_at <= now
