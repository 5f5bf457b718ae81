"""What an expression over a node may speak of: one table of names, and the documents that the sandbox is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import InstrumentedAttribute

from inventory_service import sandbox
from inventory_service.models import Node, NodeFacts, NodeTag, Pool, Rack, Zone
from inventory_service.problems import Invalid

_COLUMNS: Mapping[str, InstrumentedAttribute[Any] | ColumnElement[Any]] = {
    "name": Node.name,
    "state": Node.state,
    "power_state": Node.power_state,
    "locked": Node.locked,
    "arch": Node.arch,
    "firmware": Node.firmware,
    "cpus": Node.cpus,
    "cpu_mhz": Node.cpu_mhz,
    "memory_bytes": Node.memory_bytes,
    "disk_bytes": Node.disk_bytes,
    "storage_bytes": Node.storage_bytes,
    "numa_nodes": Node.numa_nodes,
    "link_mbps": Node.link_mbps,
    "gpus": Node.gpus,
    "tpm": Node.tpm,
    "vendor": Node.vendor,
    "product": Node.product,
    "serial": Node.serial,
    "uuid": Node.uuid,
    "comment": Node.comment,
    "annotations": Node.annotations,
    "zone": select(Zone.name).where(Zone.id == Node.zone_id).scalar_subquery(),
    "pool": select(Pool.name).where(Pool.id == Node.pool_id).scalar_subquery(),
    "rack": select(Rack.name).where(Rack.id == Node.rack_id).scalar_subquery(),
    "facts": select(NodeFacts.document).where(NodeFacts.node_id == Node.id).scalar_subquery(),
}
NAMES = (*_COLUMNS, "tags")
"""``facts`` is the whole document of the last commissioning, as GET /nodes/NAME/facts shows it."""
CHANGING = ("state", "power_state", "locked")
"""Names whose values change while a node is in use: no tag is defined by them."""
_CHUNK = 500


def check_expression(field: str, expression: str, without: Collection[str] = ()) -> None:
    """Refuse what is no expression, and names that no node has: they are typing errors, not facts that are missing.

    :param without: names that may not be used here
    :raises Invalid: names the field and what is allowed
    """
    sandbox.check(expression, field)
    allowed = [name for name in NAMES if name not in without]
    for name in sorted(sandbox.names(expression)):
        if name not in allowed:
            raise Invalid(field, expression, f"there is no {name!r} to speak of", allowed)


def documents(
    session: Session, node_ids: Sequence[int], names: Collection[str], *, by_rule: bool = True
) -> dict[int, dict[str, Any]]:
    """The documents of nodes, with no more than these names in them.

    :param by_rule: whether ``tags`` holds the tags that expressions define too
    """
    columns = [_COLUMNS[name].label(name) for name in _COLUMNS if name in names]
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(node_ids), _CHUNK):
        ids = node_ids[start : start + _CHUNK]
        for row in session.execute(select(Node.id, *columns).where(Node.id.in_(ids))):
            found[row[0]] = dict(zip([one.name for one in columns], row[1:], strict=True))
        if "tags" in names:
            for node_id in ids:
                if node_id in found:
                    found[node_id]["tags"] = []
            tags = select(NodeTag.node_id, NodeTag.tag).where(NodeTag.node_id.in_(ids)).order_by(NodeTag.tag)
            for node_id, tag in session.execute(tags if by_rule else tags.where(NodeTag.by_rule.is_(False))):
                found[node_id]["tags"].append(tag)
    return found
