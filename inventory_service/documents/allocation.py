"""An allocation as answers show it; its credentials are not among it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from inventory_service.documents.networks import addresses_by_allocation
from inventory_service.models import Allocation, Node, Operation, Pool, User, Zone
from inventory_service.queue_orders import places

_LATEST = (
    select(Operation.id)
    .where(Operation.allocation_id == Allocation.id)
    .order_by(Operation.created_at.desc(), Operation.id.desc())
    .limit(1)
    .correlate(Allocation)
    .scalar_subquery()
)
_BESIDES = (
    select(Allocation.id, User.name, Zone.name, Pool.name, _LATEST)
    .join(User, User.id == Allocation.user_id)
    .outerjoin(Node, Node.id == Allocation.node_id)
    .outerjoin(Zone, Zone.id == Node.zone_id)
    .outerjoin(Pool, Pool.id == Node.pool_id)
    .where(Allocation.id.in_(bindparam("ids", expanding=True)))
)
"""What a document says besides the allocation's own row; made once, because every acquisition asks it."""


def allocation_documents(session: Session, allocations: Sequence[Allocation]) -> list[dict[str, Any]]:
    """Several allocations, each with its latest operation."""
    rows = session.execute(_BESIDES, {"ids": [one.id for one in allocations]})
    besides = {number: names for number, *names in rows}
    addresses = addresses_by_allocation(session, [one.id for one in allocations])
    line = places(session, [one.id for one in allocations if one.state == "waiting"])
    return [
        {
            "name": one.name,
            "set": one.set_name,
            "user": user,
            "node": one.node_name,
            "state": one.state,
            "image": one.image,
            "hostname": one.hostname,
            "address": one.address,
            "ssh_user": one.ssh_user,
            "host_keys": one.host_keys,
            "addresses": addresses.get(one.id, []),
            "note": one.note,
            "annotations": one.annotations,
            "zone": zone,
            "pool": pool,
            "constraints": one.constraints,
            "root_disk": one.root_disk,
            "operation": operation,
            "created_at": one.created_at,
            "activated_at": one.activated_at,
            "released_at": one.released_at,
            "reason": one.reason,
            "place": line.get(one.id),
            "queued_at": one.queued_at,
            "wait_until": one.wait_until if one.state == "waiting" else None,
            "held_since": one.held_since,
            "expires_at": one.expires_at,
            "expired": one.expired_at is not None,
            "version": one.version,
        }
        for one in allocations
        for user, zone, pool, operation in [besides[one.id]]
    ]


def allocation_document(session: Session, allocation: Allocation) -> dict[str, Any]:
    """One allocation."""
    return allocation_documents(session, [allocation])[0]
