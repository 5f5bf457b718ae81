"""Spaces, fabrics, VLANs and zones: what nodes' networks and places are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session, joinedload

from inventory_service.api.authentication import by_token, services
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.networks import Named, NamedChange, NamedList, VlanChange, Vlans
from inventory_service.api.schemas.networks import Vlan as VlanOut
from inventory_service.documents.networks import named_document, vlan_document
from inventory_service.models import Fabric, Space, Vlan, Zone
from inventory_service.named import put, remove
from inventory_service.networks import put_vlan
from inventory_service.problems import Conflict

bp = APIBlueprint("networks", __name__, url_prefix="/api/v1", tag="Networks")
by_token(bp)


def _named(
    model: type[Any],
    one: str,
    removes: str,
    delete: Callable[[Session, Any, str], None] = remove,
) -> Records:
    """What has a name and a description."""

    def set_it(session: Session, name: str, values: dict[str, Any], actor: str) -> None:
        put(session, model, name, {key: value for key, value in values.items() if value is not None}, actor)

    return Records(
        one, f"{one}s", model, Named, NamedList, lambda _session, row: named_document(row),
        change=NamedChange, put=set_it, remove=delete, removes=removes,
    )  # fmt: skip


def _remove_zone(session: Session, zone: Zone, actor: str) -> None:
    if zone.name == services().settings.default_zone:
        why = f"zone {zone.name!r} is where new nodes are put: name another in default_zone first"
        raise Conflict(why, field="name", value=zone.name)
    remove(session, zone, actor)


add_views(
    bp,
    _named(Space, "space", "Delete a space that no VLAN is in."),
    _named(Fabric, "fabric", "Delete a fabric that no VLAN is of."),
    _named(Zone, "zone", "Delete a zone that no node is in.", _remove_zone),
    Records(
        "vlan", "vlans", Vlan, VlanOut, Vlans, lambda _session, row: vlan_document(row),
        whole=(joinedload(Vlan.fabric), joinedload(Vlan.space)),
        change=VlanChange, put=put_vlan, remove=remove,
        lists="The VLANs, by name.", shows="Show one VLAN.",
        puts="Set a VLAN; it is made when there is none of that name.",
        removes="Delete a VLAN that has no subnet and no interface.",
    ),
)  # fmt: skip
