"""What counts for a user in each pool: the pool's leases, and how much the user may hold of it. One query for all pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from inventory_service.db import connection_of
from inventory_service.models import Pool, Quota
from inventory_service.prepared import Prepared


@dataclass(frozen=True)
class Amount:
    """So much of a pool; of a limit, None is without a limit."""

    nodes: int | None = None
    cpus: int | None = None
    memory_bytes: int | None = None

    def document(self) -> dict[str, int | None]:
        """As answers show it."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Policy:
    """What counts for a user in one pool.

    :param quota_id: the row of the quota; None where there is none
    :param quota: None where there is no limit
    """

    pool_id: int
    pool: str
    lease_required: bool
    lease_default_seconds: int | None
    lease_max_seconds: int | None
    lease_total_seconds: int | None
    lease_notice_seconds: int
    quota_id: int | None
    quota: Amount | None

    @property
    def lease_first_seconds(self) -> int | None:
        """The longest first lease; None when there is no limit."""
        limits = [one for one in (self.lease_max_seconds, self.lease_total_seconds) if one is not None]
        return min(limits, default=None)


Policies = Mapping[int, Policy]
"""By the pool's id."""

_pool, _quota = Pool.__table__.c, Quota.__table__.c
_POLICIES = Prepared(
    select(
        _pool.id,
        _pool.name,
        _pool.lease_required,
        _pool.lease_default_seconds,
        _pool.lease_max_seconds,
        _pool.lease_total_seconds,
        _pool.lease_notice_seconds,
        _quota.id,
        _quota.nodes,
        _quota.cpus,
        _quota.memory_bytes,
    )
    .outerjoin_from(
        Pool.__table__,
        Quota.__table__,
        (_quota.pool_id == _pool.id) & or_(_quota.user_id == bindparam("user"), _quota.user_id.is_(None)),
    )
    .order_by(_pool.id, _quota.user_id.is_(None).desc())
)
"""Of each pool the quota of everybody first, then the user's own, which counts instead."""


def policies_of(session: Session, user_id: int) -> Policies:
    """What counts for a user."""
    return {
        row[0]: Policy(*(*row[:8], Amount(*row[8:]) if row[7] is not None else None))
        for row in _POLICIES(connection_of(session), {"user": user_id})
    }
