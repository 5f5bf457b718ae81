"""VLANs and their fabrics and spaces as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import IPNetwork
from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.models import Fabric, Space, Subnet, Vlan
from inventory_service.named import named, put
from inventory_service.problems import Conflict, Invalid


def put_vlan(session: Session, name: str, values: Mapping[str, Any], actor: str) -> tuple[Vlan, bool]:
    """Set a VLAN; a new one needs its fabric and its number.

    :param values: fabric, space (by name), vid, mtu, description
    :raises Invalid: no such fabric or space, or one that is missing
    :raises Conflict: the fabric has that number already
    """
    columns = {key: values[key] for key in ("vid", "mtu", "description") if values.get(key) is not None}
    if values.get("fabric") is not None:
        columns["fabric_id"] = named(session, Fabric, "fabric", values["fabric"]).id
    if "space" in values:
        columns["space_id"] = named(session, Space, "space", values["space"]).id if values["space"] else None
    known = session.scalar(select(Vlan).where(Vlan.name == name))
    for field, column in (("fabric", "fabric_id"), ("vid", "vid")):
        if known is None and column not in columns:
            raise Invalid(field, None, f"a new VLAN needs its {field}")
    _check_vid(session, known, columns)
    if known is not None and columns.get("fabric_id", known.fabric_id) != known.fabric_id:
        for cidr in session.scalars(select(Subnet.cidr).where(Subnet.vlan_id == known.id)):
            check_overlap(session, columns["fabric_id"], IPNetwork(cidr), "fabric", values["fabric"])
    return put(session, Vlan, name, columns, actor)


def _check_vid(session: Session, known: Vlan | None, columns: Mapping[str, Any]) -> None:
    fabric_id = columns.get("fabric_id", known.fabric_id if known else None)
    vid = columns.get("vid", known.vid if known else None)
    same = select(Vlan).where(Vlan.fabric_id == fabric_id, Vlan.vid == vid)
    other = session.scalar(same.where(Vlan.id != known.id) if known else same)
    if other is not None:
        raise Conflict(f"vid {vid} of this fabric is VLAN {other.name!r} already", field="vid", value=vid)


def check_overlap(
    session: Session, fabric_id: int, network: IPNetwork, field: str, value: str, *, but: int | None = None
) -> None:
    """Two subnets of one fabric have no address in common: an address would not tell where it is.

    :param field: what of the request would make it so
    :param but: the subnet itself
    :raises Conflict: they have
    """
    others = select(Subnet.id, Subnet.name, Subnet.cidr).join(Vlan, Vlan.id == Subnet.vlan_id)
    for other_id, name, cidr in session.execute(others.where(Vlan.fabric_id == fabric_id)):
        other = IPNetwork(cidr)
        if other_id != but and other.version == network.version and (other in network or network in other):
            why = f"{network} overlaps subnet {name!r} ({cidr}) of the same fabric"
            raise Conflict(why, field=field, value=value, other=name)
