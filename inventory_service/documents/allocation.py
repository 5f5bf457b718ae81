"""An allocation as answers show it; its credentials are not among it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from inventory_service.allocate import Taken
from inventory_service.documents.networks import addresses_by_allocation
from inventory_service.models import Allocation, Node, Operation, Pool, User, Zone
from inventory_service.queue_orders import places

_allocation, _operation, _user = Allocation.__table__.c, Operation.__table__.c, User.__table__.c
_node, _zone, _pool = Node.__table__.c, Zone.__table__.c, Pool.__table__.c
_LATEST = (
    select(_operation.id)
    .where(_operation.allocation_id == _allocation.id)
    .order_by(_operation.created_at.desc(), _operation.id.desc())
    .limit(1)
    .correlate(Allocation.__table__)
    .scalar_subquery()
)
_BESIDES = (
    select(_allocation.id, _user.name, _zone.name, _pool.name, _LATEST)
    .join_from(Allocation.__table__, User.__table__, _user.id == _allocation.user_id)
    .outerjoin(Node.__table__, _node.id == _allocation.node_id)
    .outerjoin(Zone.__table__, _zone.id == _node.zone_id)
    .outerjoin(Pool.__table__, _pool.id == _node.pool_id)
    .where(_allocation.id.in_(bindparam("ids", expanding=True)))
)
"""What a document says besides the allocation's own row; made once, because every acquisition asks it."""


def allocation_documents(session: Session, allocations: Sequence[Allocation]) -> list[dict[str, Any]]:
    """Several allocations, each with its latest operation."""
    rows = session.execute(_BESIDES, {"ids": [one.id for one in allocations]})
    besides = {number: names for number, *names in rows}
    addresses = addresses_by_allocation(session, [one.id for one in allocations])
    line = places(session, [one.id for one in allocations if one.state == "waiting"])
    return [
        _document(one, user, zone, pool, operation, addresses.get(one.id, []), line.get(one.id))
        for one in allocations
        for user, zone, pool, operation in [besides[one.id]]
    ]


def allocation_document(session: Session, allocation: Allocation) -> dict[str, Any]:
    """One allocation."""
    return allocation_documents(session, [allocation])[0]


def taken_document(taken: Taken, user: str) -> dict[str, Any]:
    """An allocation of this user's that has just got its node: without addresses, and with no operation yet."""
    return _document(taken.allocation, user, taken.zone, taken.pool, None, [], None)


def _document(
    one: Allocation,
    user: str,
    zone: str | None,
    pool: str | None,
    operation: str | None,
    addresses: Sequence[Mapping[str, Any]],
    place: int | None,
) -> dict[str, Any]:
    return {
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
        "addresses": addresses,
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
        "place": place,
        "queued_at": one.queued_at,
        "wait_until": one.wait_until if one.state == "waiting" else None,
        "held_since": one.held_since,
        "expires_at": one.expires_at,
        "expired": one.expired_at is not None,
        "version": one.version,
    }
