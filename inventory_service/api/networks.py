"""Spaces, fabrics, VLANs and zones: what nodes' networks and places are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import part
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.networks import Named, NamedChange, NamedList, VlanChange, Vlans
from inventory_service.api.schemas.networks import Vlan as VlanOut
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.networks import named_document, vlan_document
from inventory_service.models import Fabric, Space, Vlan, Zone
from inventory_service.named import find, look, put, remove
from inventory_service.networks import put_vlan
from inventory_service.problems import Conflict

bp = APIBlueprint("networks", __name__, url_prefix="/api/v1", tag="Networks")
by_token(bp)


def _list(query: Select[Any], model: type[Any], page: Page, document: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    query = query.order_by(model.name)
    with services().database.read() as session:
        query = query.where(model.name > page.after) if page.after else query
        rows, following = part(session, query, page.limit, lambda one: one.name)
    return {"items": [document(one) for one in rows], "next": following}


def _put(model: type[Any], name: str, wanted: NamedChange) -> tuple[dict[str, Any], int]:
    who = caller()
    values = {key: value for key, value in wanted.model_dump(exclude_unset=True).items() if value is not None}
    with services().database.write() as session:
        need_version(session, look(session, model, name))
        row, new = put(session, model, name, values, who.actor)
        show_version(row)
        return named_document(row), 201 if new else 200


def _show(model: type[Any], name: str) -> dict[str, Any]:
    with services().database.read() as session:
        row = find(session, model, name)
        show_version(row)
        return named_document(row)


def _remove(model: type[Any], name: str) -> str:
    who = caller()
    with services().database.write() as session:
        row = find(session, model, name)
        need_version(session, row)
        remove(session, row, who.actor)
    return ""


@bp.get("/spaces")
@bp.input(Page, location="query", arg_name="page")
@bp.output(NamedList)
@needs("anyone")
def list_spaces(page: Page) -> dict[str, Any]:
    """The spaces, by name."""
    return _list(select(Space), Space, page, named_document)


@bp.get("/spaces/<name>")
@bp.output(Named)
@needs("anyone")
@versioned
def show_space(name: str) -> dict[str, Any]:
    """Show one space."""
    return _show(Space, name)


@bp.put("/spaces/<name>")
@bp.input(NamedChange, arg_name="wanted")
@bp.output(Named)
@bp.doc(responses={201: "There was none of that name; it is made."})
@needs("administrator")
@versioned
def put_space(name: str, wanted: NamedChange) -> tuple[dict[str, Any], int]:
    """Set a space; it is made when there is none of that name."""
    return _put(Space, name, wanted)


@bp.delete("/spaces/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_space(name: str) -> str:
    """Delete a space that no VLAN is in."""
    return _remove(Space, name)


@bp.get("/fabrics")
@bp.input(Page, location="query", arg_name="page")
@bp.output(NamedList)
@needs("anyone")
def list_fabrics(page: Page) -> dict[str, Any]:
    """The fabrics, by name."""
    return _list(select(Fabric), Fabric, page, named_document)


@bp.get("/fabrics/<name>")
@bp.output(Named)
@needs("anyone")
@versioned
def show_fabric(name: str) -> dict[str, Any]:
    """Show one fabric."""
    return _show(Fabric, name)


@bp.put("/fabrics/<name>")
@bp.input(NamedChange, arg_name="wanted")
@bp.output(Named)
@bp.doc(responses={201: "There was none of that name; it is made."})
@needs("administrator")
@versioned
def put_fabric(name: str, wanted: NamedChange) -> tuple[dict[str, Any], int]:
    """Set a fabric; it is made when there is none of that name."""
    return _put(Fabric, name, wanted)


@bp.delete("/fabrics/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_fabric(name: str) -> str:
    """Delete a fabric that no VLAN is of."""
    return _remove(Fabric, name)


@bp.get("/zones")
@bp.input(Page, location="query", arg_name="page")
@bp.output(NamedList)
@needs("anyone")
def list_zones(page: Page) -> dict[str, Any]:
    """The zones, by name."""
    return _list(select(Zone), Zone, page, named_document)


@bp.get("/zones/<name>")
@bp.output(Named)
@needs("anyone")
@versioned
def show_zone(name: str) -> dict[str, Any]:
    """Show one zone."""
    return _show(Zone, name)


@bp.put("/zones/<name>")
@bp.input(NamedChange, arg_name="wanted")
@bp.output(Named)
@bp.doc(responses={201: "There was none of that name; it is made."})
@needs("administrator")
@versioned
def put_zone(name: str, wanted: NamedChange) -> tuple[dict[str, Any], int]:
    """Set a zone; it is made when there is none of that name."""
    return _put(Zone, name, wanted)


@bp.delete("/zones/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_zone(name: str) -> str:
    """Delete a zone that no node is in."""
    if name == services().settings.default_zone:
        raise Conflict(f"zone {name!r} is where new nodes are put: name another in default_zone first", field="name", value=name)
    return _remove(Zone, name)


_WHOLE_VLAN = (joinedload(Vlan.fabric), joinedload(Vlan.space))


@bp.get("/vlans")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Vlans)
@needs("anyone")
def list_vlans(page: Page) -> dict[str, Any]:
    """The VLANs, by name."""
    return _list(select(Vlan).options(*_WHOLE_VLAN), Vlan, page, vlan_document)


@bp.get("/vlans/<name>")
@bp.output(VlanOut)
@needs("anyone")
@versioned
def show_vlan(name: str) -> dict[str, Any]:
    """Show one VLAN."""
    with services().database.read() as session:
        vlan = find(session, Vlan, name)
        show_version(vlan)
        session.refresh(vlan, ["fabric", "space"])
        return vlan_document(vlan)


@bp.put("/vlans/<name>")
@bp.input(VlanChange, arg_name="wanted")
@bp.output(VlanOut)
@bp.doc(responses={201: "There was none of that name; it is made."})
@needs("administrator")
@versioned
def set_vlan(name: str, wanted: VlanChange) -> tuple[dict[str, Any], int]:
    """Set a VLAN; it is made when there is none of that name."""
    who = caller()
    with services().database.write() as session:
        need_version(session, look(session, Vlan, name))
        vlan, new = put_vlan(session, name, wanted.model_dump(exclude_unset=True), who.actor)
        show_version(vlan)
        session.refresh(vlan, ["fabric", "space"])
        return vlan_document(vlan), 201 if new else 200


@bp.delete("/vlans/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_vlan(name: str) -> str:
    """Delete a VLAN that has no subnet and no interface."""
    return _remove(Vlan, name)
