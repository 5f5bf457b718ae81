"""A node as answers show it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from inventory_service.documents.node_parts import (
    device_documents,
    disk_documents,
    grouped,
    interface_documents,
    numa_documents,
)
from inventory_service.models import Allocation, Bmc, Node, NodeTag, Operation, Pool, Rack, User, Zone
from inventory_service.problems import NotFound

_AT_ONCE = 1000
"""So many nodes are looked up by one statement: databases allow only so many values in it."""
_PLAIN = (
    "name",
    "uuid",
    "serial",
    "state",
    "reason",
    "locked",
    "arch",
    "firmware",
    "cpus",
    "cpu_mhz",
    "memory_bytes",
    "storage_bytes",
    "numa_nodes",
    "link_mbps",
    "gpus",
    "tpm",
    "cost",
    "recent_failures",
    "power_state",
    "comment",
    "annotations",
    "vendor",
    "product",
    "root_disk",
    "weak_boot_token",
    "created_at",
    "updated_at",
    "version",
)
"""What is shown as it stands in the node's row."""
_OF_BMC = ("kind", "address", "port", "username", "mac")
_IDS: BindParameter[int] = bindparam("ids", expanding=True)

# Of the tables, not of the classes: lists are long, and nothing in them is changed.
_node, _bmc, _tag = Node.__table__.c, Bmc.__table__.c, NodeTag.__table__.c
_zone, _pool, _rack = Zone.__table__.c, Pool.__table__.c, Rack.__table__.c
_allocation, _user, _operation = Allocation.__table__.c, User.__table__.c, Operation.__table__.c
_NODES = (
    select(
        _node.id,
        _node.pool_id,
        _bmc.node_id,
        *(_bmc[name] for name in _OF_BMC),
        _zone.name,
        _pool.name,
        _rack.name,
        *(_node[name] for name in _PLAIN),
    )
    .join_from(Node.__table__, Zone.__table__, _zone.id == _node.zone_id)
    .join(Pool.__table__, _pool.id == _node.pool_id)
    .join(Rack.__table__, _rack.id == _node.rack_id)
    .outerjoin(Bmc.__table__, _bmc.node_id == _node.id)
    .where(_node.id.in_(_IDS))
)
_TAGS = select(_tag.node_id, _tag.tag).where(_tag.node_id.in_(_IDS)).order_by(_tag.tag)
_HELD = (
    select(_allocation.node_id, _allocation.name, _user.name)
    .join(User.__table__, _user.id == _allocation.user_id)
    .where(_allocation.node_id.in_(_IDS), _allocation.state != "released")
)
_RUNNING = select(_operation.node_id, _operation.id).where(
    _operation.node_id.in_(_IDS), _operation.state.in_(("queued", "running"))
)


def bmc_document(bmc: Bmc | None) -> dict[str, Any] | None:
    """How a BMC is reached, without its password."""
    return {name: getattr(bmc, name) for name in _OF_BMC} if bmc is not None else None


def node_documents(
    session: Session, node_ids: Sequence[int], *, with_bmc: bool | Collection[int], only: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Several nodes in this order, with who holds them and what is under way, in a few queries for a thousand of them.

    One that was deleted just now is left out.

    :param with_bmc: whether the reader may know where the BMCs are, or the pools (ids) whose BMCs the reader may know
    :param only: what will be read of the documents: the rest is not looked up, and may be empty
    """
    session.flush()
    return [
        document
        for start in range(0, len(node_ids), _AT_ONCE)
        for document in _documents(session, node_ids[start : start + _AT_ONCE], with_bmc, only)
    ]


def node_document(session: Session, node_id: int, *, with_bmc: bool | Collection[int]) -> dict[str, Any]:
    """One node, with its devices and NUMA nodes, which lists leave out.

    :raises NotFound: it was deleted just now
    """
    documents = node_documents(session, [node_id], with_bmc=with_bmc)
    if not documents:
        raise NotFound("node", node_id)
    return documents[0] | {"numa": numa_documents(session, node_id), "devices": device_documents(session, node_id)}


def _documents(
    session: Session, node_ids: Sequence[int], with_bmc: bool | Collection[int], only: Collection[str] | None
) -> Iterator[dict[str, Any]]:
    def read(*names: str) -> bool:
        return only is None or any(name in only for name in names)

    ids = {"ids": node_ids}
    tags = grouped(session.execute(_TAGS, ids)) if read("tags") else {}
    holders = session.execute(_HELD, ids) if read("owner", "allocation") else ()
    held = {node_id: (name, user) for node_id, name, user in holders}
    running = dict(session.execute(_RUNNING, ids).all()) if read("operation") else {}
    disks = disk_documents(session, node_ids) if read("disks") else {}
    interfaces = interface_documents(session, node_ids) if read("interfaces") else {}
    rows = {row[0]: row for row in session.execute(_NODES, ids)}
    for row in (rows[one] for one in node_ids if one in rows):
        number, pool_id, has_bmc, kind, address, port, username, mac, zone, pool, rack, *values = row
        may_see = with_bmc if isinstance(with_bmc, bool) else pool_id in with_bmc
        allocation, owner = held.get(number, (None, None))
        yield dict(
            zip(_PLAIN, values, strict=True),
            owner=owner,
            allocation=allocation,
            zone=zone,
            pool=pool,
            rack=rack,
            tags=tags.get(number, []),
            bmc=dict(zip(_OF_BMC, (kind, address, port, username, mac), strict=True)) if may_see and has_bmc else None,
            disks=disks.get(number, []),
            interfaces=interfaces.get(number, []),
            operation=running.get(number),
        )
