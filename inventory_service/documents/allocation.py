"""An allocation as answers show it; its credentials are not among it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory_service.documents.networks import addresses_by_allocation
from inventory_service.models import Allocation, Node, Operation, Pool, Zone
from inventory_service.queue_orders import places


def allocation_documents(session: Session, allocations: Sequence[Allocation]) -> list[dict[str, Any]]:
    """Several allocations, loaded with their users, each with its latest operation."""
    latest = (
        select(Operation.allocation_id, func.max(Operation.created_at).label("at"))
        .where(Operation.allocation_id.in_([one.id for one in allocations]))
        .group_by(Operation.allocation_id)
        .subquery()
    )
    operations = dict(
        session.execute(
            select(Operation.allocation_id, Operation.id).join(
                latest, (latest.c.allocation_id == Operation.allocation_id) & (latest.c.at == Operation.created_at)
            )
        ).all()
    )
    where = {
        node_id: (zone, pool)
        for node_id, zone, pool in session.execute(
            select(Node.id, Zone.name, Pool.name)
            .join(Zone, Zone.id == Node.zone_id)
            .join(Pool, Pool.id == Node.pool_id)
            .where(Node.id.in_([one.node_id for one in allocations]))
        )
    }
    addresses = addresses_by_allocation(session, [one.id for one in allocations])
    line = places(session, [one.id for one in allocations if one.state == "waiting"])
    return [
        {
            "name": one.name,
            "user": one.user.name,
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
            "zone": place[0] if place else None,
            "pool": place[1] if place else None,
            "constraints": one.constraints,
            "root_disk": one.root_disk,
            "operation": operations.get(one.id),
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
        for place in [where.get(one.node_id or 0)]
    ]


def allocation_document(session: Session, allocation: Allocation) -> dict[str, Any]:
    """One allocation, loaded with its user."""
    return allocation_documents(session, [allocation])[0]
