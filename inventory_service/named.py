"""Records that have a name and little else: found, set, deleted when nothing uses them any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from inventory_service.auth import check_name
from inventory_service.events import record
from inventory_service.models import (
    Address,
    Allocation,
    Fabric,
    Interface,
    Node,
    Pool,
    Space,
    Subnet,
    Vlan,
    Zone,
)
from inventory_service.problems import Conflict, Invalid, NotFound

Named = Space | Fabric | Vlan | Subnet | Zone | Pool
T = TypeVar("T", Space, Fabric, Vlan, Subnet, Zone, Pool)

_SHOWN = 5
# What keeps a record from being deleted: what it is called, its names, and how it points at the record.
_USES: Mapping[type[Any], Sequence[tuple[str, InstrumentedAttribute[Any], Any]]] = {
    Space: (("vlan", Vlan.name, Vlan.space_id),),
    Fabric: (("vlan", Vlan.name, Vlan.fabric_id),),
    Vlan: (("subnet", Subnet.name, Subnet.vlan_id), ("interface", Interface.mac, Interface.vlan_id)),
    Subnet: (("address", Address.ip, Address.subnet_id),),
    Zone: (("node", Node.name, Node.zone_id),),
    Pool: (("node", Node.name, Node.pool_id), ("allocation", Allocation.name, Allocation.pool_id)),
}
_ONLY: Mapping[tuple[type[Any], str], ColumnElement[bool]] = {(Pool, "allocation"): Allocation.state != "released"}


def word(model: type[Named]) -> str:
    """How the API calls this kind of record."""
    return str(model.__tablename__)


def look(session: Session, model: type[T], name: str) -> T | None:
    """The record of that name; None when there is none."""
    return session.scalar(select(model).where(model.name == name))


def find(session: Session, model: type[T], name: str) -> T:
    """The record of that name.

    :raises NotFound: there is none
    """
    found = look(session, model, name)
    if found is None:
        raise NotFound(word(model), name)
    return found


def named(session: Session, model: type[T], field: str, name: str) -> T:
    """The record that a request names in one of its fields.

    :raises Invalid: there is none (the answer lists those there are)
    """
    found = look(session, model, name)
    if found is None:
        known = session.scalars(select(model.name).order_by(model.name)).all()
        raise Invalid(field, name, f"there is no {word(model)} {name!r}", known)
    return found


def put(session: Session, model: type[T], name: str, values: Mapping[str, Any], actor: str) -> tuple[T, bool]:
    """Set the columns of the record of that name, which is made when there is none; what is left out stays.

    :param values: checked already, by column
    :returns: the record, and whether it was made
    :raises Conflict: another record has what only one may have
    """
    kept = look(session, model, check_name("name", name))
    if kept is None:
        row = model(name=name, **values)
        session.add(row)
        flush_unique(session, model, name)
        record(session, f"{word(model)}.added", actor, name=name, **_plain(values))
        return row, True
    changed = {key: value for key, value in values.items() if getattr(kept, key) != value}
    if changed:
        for key, value in changed.items():
            setattr(kept, key, value)
        flush_unique(session, model, name)
        record(session, f"{word(model)}.changed", actor, name=name, **_plain(changed))
    return kept, False


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What an event can hold: references by id stay out, their names are in the values of the request."""
    return {key: value for key, value in values.items() if not key.endswith("_id")}


def flush_unique(session: Session, model: type[Named], name: str) -> None:
    """Write what is pending.

    :raises Conflict: another record has what only one may have
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"{word(model)} {name!r}: another one has the same already", field="name", value=name) from error


def remove(session: Session, row: Named, actor: str) -> None:
    """Delete a record that nothing uses.

    :raises Conflict: something uses it (the answer names it)
    """
    for what, title, reference in _USES[type(row)]:
        query: Select[Any] = select(title).where(reference == row.id)
        only = _ONLY.get((type(row), what))
        query = query if only is None else query.where(only)
        count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        if count:
            names = list(session.scalars(query.order_by(title).limit(_SHOWN)))
            more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
            raise Conflict(
                f"{word(type(row))} {row.name!r} is in use by {what} {', '.join(names)}{more}",
                field="name",
                value=row.name,
                used_by={what: names},
                count=count,
            )
    record(session, f"{word(type(row))}.deleted", actor, name=row.name)
    session.delete(row)
    session.flush()
