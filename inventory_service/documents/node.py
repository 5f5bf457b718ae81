"""A node as answers show it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.documents.node_parts import Parts, device_documents, numa_documents, parts_of
from inventory_service.models import Allocation, Bmc, Node, Operation, User


def bmc_document(bmc: Bmc | None) -> dict[str, Any] | None:
    """How a BMC is reached, without its password."""
    if bmc is None:
        return None
    return {"kind": bmc.kind, "address": bmc.address, "port": bmc.port, "username": bmc.username, "mac": bmc.mac}


def node_documents(
    session: Session, nodes: Sequence[Node], *, with_bmc: bool | Collection[int]
) -> list[dict[str, Any]]:
    """Several nodes, with who holds them and what is under way, in a few queries more.

    :param nodes: loaded whole (``node_records.whole_node``)
    :param with_bmc: whether the reader may know where the BMCs are, or the pools (ids) whose BMCs the reader may know
    """
    ids = [node.id for node in nodes]
    held = {
        node_id: (name, user)
        for node_id, name, user in session.execute(
            select(Allocation.node_id, Allocation.name, User.name)
            .join(User, User.id == Allocation.user_id)
            .where(Allocation.node_id.in_(ids), Allocation.state != "released")
        )
    }
    running = dict(
        session.execute(
            select(Operation.node_id, Operation.id).where(
                Operation.node_id.in_(ids), Operation.state.in_(("queued", "running"))
            )
        ).all()
    )
    seen = parts_of(session, nodes)
    return [
        _document(
            node,
            held.get(node.id),
            running.get(node.id),
            seen,
            with_bmc if isinstance(with_bmc, bool) else node.pool_id in with_bmc,
        )
        for node in nodes
    ]


def node_document(session: Session, node: Node, *, with_bmc: bool | Collection[int]) -> dict[str, Any]:
    """One node, with its devices and NUMA nodes, which lists leave out."""
    [document] = node_documents(session, [node], with_bmc=with_bmc)
    return document | {"numa": numa_documents(session, node.id), "devices": device_documents(session, node.id)}


def _document(
    node: Node, held: tuple[str, str] | None, operation: str | None, seen: Parts, with_bmc: bool
) -> dict[str, Any]:
    return {
        "name": node.name,
        "uuid": node.uuid,
        "serial": node.serial,
        "state": node.state,
        "reason": node.reason,
        "locked": node.locked,
        "owner": held[1] if held else None,
        "allocation": held[0] if held else None,
        "zone": node.zone.name,
        "pool": node.pool.name,
        "rack": node.rack.name,
        "tags": [one.tag for one in node.tags],
        "arch": node.arch,
        "firmware": node.firmware,
        "cpus": node.cpus,
        "cpu_mhz": node.cpu_mhz,
        "memory_bytes": node.memory_bytes,
        "storage_bytes": node.storage_bytes,
        "numa_nodes": node.numa_nodes,
        "link_mbps": node.link_mbps,
        "gpus": node.gpus,
        "tpm": node.tpm,
        "cost": node.cost,
        "recent_failures": node.recent_failures,
        "power_state": node.power_state,
        "comment": node.comment,
        "annotations": node.annotations,
        "vendor": node.vendor,
        "product": node.product,
        "bmc": bmc_document(node.bmc) if with_bmc else None,
        "root_disk": node.root_disk,
        "disks": [
            {
                "name": disk.name,
                "serial": disk.serial,
                "wwn": disk.wwn,
                "model": disk.model,
                "kind": disk.kind,
                "size_bytes": disk.size_bytes,
                "rotational": disk.rotational,
                "path": disk.path,
                "wear_percent": disk.wear_percent,
                "tags": seen.disk_tags.get(disk.id, []),
            }
            for disk in node.disks
        ],
        "interfaces": [
            {
                "name": one.name,
                "mac": one.mac,
                "driver": one.driver,
                "speed_mbps": one.speed_mbps,
                "link": one.link,
                "lldp": one.lldp,
                **seen.network(one),
                "tags": seen.interface_tags.get(one.id, []),
            }
            for one in node.interfaces
        ],
        "weak_boot_token": node.weak_boot_token,
        "operation": operation,
        "created_at": node.created_at,
        "updated_at": node.updated_at,
        "version": node.version,
    }
