"""Nodes: what people say of them. What was learned from the machine is learned again by commissioning it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from inventory_service.documents.node import bmc_document
from inventory_service.models import Disk, Interface, Node, Vlan
from inventory_service.node_records import add_node, change_node, delete_node, find_node, whole_node
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work

_PLAIN = ("name", "uuid", "serial", "arch", "firmware", "vendor", "product", "comment", "annotations", "locked",
          "weak_boot_token", "root_disk")  # fmt: skip
_AS_THEY_ARE = ("zone", "pool", "rack", "arch", "tags", "comment", "locked", "weak_boot_token", "interfaces", "disks")
"""What a node always has: an entry that says null of it says nothing."""


def _nodes(session: Session) -> list[Entry]:
    vlans = dict(session.execute(select(Vlan.id, Vlan.name)).all())
    tags = selectinload(Node.interfaces).selectinload(Interface.tags), selectinload(Node.disks).selectinload(Disk.tags)
    query = select(Node).order_by(Node.name).options(*whole_node(), *tags).execution_options(yield_per=500)
    return [_entry(node, vlans) for node in session.scalars(query)]


def _entry(node: Node, vlans: dict[int, str]) -> Entry:
    bmc = bmc_document(node.bmc)
    if bmc is not None:
        del bmc["mac"]
    return {name: getattr(node, name) for name in _PLAIN} | {
        "zone": node.zone.name,
        "pool": node.pool.name,
        "rack": node.rack.name,
        "tags": [one.tag for one in node.tags if not one.by_rule],
        "bmc": bmc,
        "interfaces": [
            {
                "mac": one.mac,
                "name": one.name,
                "vlan": vlans.get(one.vlan_id or 0) if one.vlan_by_hand else None,
                "tags": [tag.tag for tag in one.tags],
            }
            for one in node.interfaces
        ],
        "disks": [
            {"disk": one.serial or one.name, "tags": [tag.tag for tag in one.tags]} for one in node.disks if one.tags
        ],
    }


def _put_node(work: Work, entry: Entry, changed: Entry, before: Entry | None) -> None:
    session, services = work.session, work.services
    values = {key: value for key, value in changed.items() if value is not None or key not in _AS_THEY_ARE}
    if before is None:
        node = add_node(session, services.settings, services.vault, {"arch": "amd64", "interfaces": []} | entry, work.actor)
        values = {key: values[key] for key in ("locked", "root_disk", "disks") if values.get(key)}
    else:
        node = find_node(session, entry["name"])
    if "annotations" in values:
        gone = (before or {}).get("annotations") or {}
        values["annotations"] = dict.fromkeys(gone) | values["annotations"]
    if (values.get("root_disk") or values.get("disks")) and not node.disks:
        for field in ("root_disk", "disks"):
            if values.pop(field, None):
                work.left_out.append(f"{field} of node {node.name}: its disks are known once it was commissioned")
    _note_password(work, node, values.get("bmc"), before)
    if values:
        change_node(session, services.vault, node, values, work.actor)


def _note_password(work: Work, node: Node, bmc: dict[str, Any] | None, before: Entry | None) -> None:
    """A password that is the one there is changes nothing; one that differs is told, not shown."""
    if not bmc or bmc.get("password") is None or before is None:
        return
    same = node.bmc is not None and node.bmc.password and work.services.vault.decrypt(node.bmc.password) == bmc["password"]
    if same:
        del bmc["password"]
    else:
        work.secrets.append(("nodes", (node.name,), "bmc.password"))


def _drop_node(work: Work, entry: Entry) -> None:
    delete_node(work.session, find_node(work.session, entry["name"]), work.actor)


NODES = Kind("nodes", entries.Node, _nodes, _put_node, _drop_node)
