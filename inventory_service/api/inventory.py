"""The dynamic inventory: what a playbook may work on now, in one request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint
from flask import Response, json, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.schemas.catalogue import Inventory
from inventory_service.documents.networks import addresses_by_allocation
from inventory_service.models import Allocation, Node, NodeTag, Pool, User, Zone
from inventory_service.rights import visible_allocations

bp = APIBlueprint("inventory", __name__, url_prefix="/api/v1", tag="Inventory")
by_token(bp, "admin", "user")


def _rows(session: Session) -> Sequence[Any]:
    query = (
        select(
            Allocation.hostname,
            Allocation.name.label("allocation"),
            Allocation.id,
            Allocation.node_id,
            Node.name.label("node"),
            Allocation.address,
            Allocation.ssh_user,
            Allocation.host_keys,
            Zone.name.label("zone"),
            Pool.name.label("pool"),
            Allocation.image,
            User.name.label("user"),
            Node.arch,
            Node.cpus,
            Node.memory_bytes,
        )
        .join(Node, Node.id == Allocation.node_id)
        .join(Zone, Zone.id == Node.zone_id)
        .join(Pool, Pool.id == Node.pool_id)
        .join(User, User.id == Allocation.user_id)
        .where(Allocation.state == "active")
        .order_by(Allocation.name)
    )
    return session.execute(query.where(*visible_allocations(session, caller()))).all()


@bp.get("/inventory")
@bp.output(Inventory)
@bp.doc(responses={304: "Nothing has changed since the ETag of If-None-Match."})
@needs("anyone")
def inventory() -> BaseResponse:
    """Active allocations: one's own, and those in the pools that one operates. Answers 304 when nothing has changed."""
    with services().database.read() as session:
        rows = _rows(session)
        tags: dict[int, list[str]] = {}
        held = select(Allocation.node_id).where(Allocation.state == "active")
        for node_id, tag in session.execute(
            select(NodeTag.node_id, NodeTag.tag).where(NodeTag.node_id.in_(held)).order_by(NodeTag.tag)
        ):
            tags.setdefault(node_id, []).append(tag)
        addresses = addresses_by_allocation(session, [row.id for row in rows])
    hosts = [
        {
            "name": row.hostname,
            "allocation": row.allocation,
            "node": row.node,
            "ansible_host": row.address,
            "ansible_user": row.ssh_user,
            "host_keys": row.host_keys,
            "addresses": addresses.get(row.id, []),
            "zone": row.zone,
            "pool": row.pool,
            "tags": tags.get(row.node_id, []),
            "image": row.image,
            "user": row.user,
            "arch": row.arch,
            "cpus": row.cpus,
            "memory_bytes": row.memory_bytes,
        }
        for row in rows
    ]
    body = json.dumps({"hosts": hosts}, separators=(",", ":"))
    response = Response(body, content_type="application/json")
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    return response.make_conditional(request)
