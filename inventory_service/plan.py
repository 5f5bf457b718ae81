"""What would be picked, and why: a dry run that writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from inventory_service.cost import cost_parts, weights_of
from inventory_service.models import Node, Pool, Zone
from inventory_service.pick import Request, root_disk_of
from inventory_service.wanted import Wanted


def candidates(session: Session, wanted: Wanted, request: Request, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Nodes that would be picked, best first, each with what its rank comes from."""
    found = session.execute(
        select(Node, Zone.name, Pool.name, *(case((one.condition, True), else_=False) for one in request.preferences))
        .join(Zone, Zone.id == Node.zone_id)
        .join(Pool, Pool.id == Node.pool_id)
        .where(Node.id.in_(ids))
        .order_by(*request.order)
    ).all()
    return [
        {
            "node": node.name,
            "zone": zone,
            "pool": pool,
            "cost": node.cost,
            "cost_parts": cost_parts(
                node.cpus, node.memory_bytes, node.storage_bytes, node.gpus, node.recent_failures, weights_of(session)
            ),
            "preferences": [
                {"constraint": one.name, "value": one.value, "met": bool(is_met)}
                for one, is_met in zip(request.preferences, met, strict=True)
            ],
            "root_disk": root_disk_of(session, node.id, wanted, request) or node.root_disk,
            "last_used_at": node.idle_since,
        }
        for node, zone, pool, *met in found
    ]
