"""Racks, zones and pools."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.auth import ensure_rack
from inventory_service.documents.catalogue import pool_document
from inventory_service.models import Fabric, Pool, Rack, Space, Zone
from inventory_service.named import find, put, remove
from inventory_service.pools import set_policy
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work


def named_kind(name: str, model: type[Any]) -> Kind:
    """Records that have a name and a description."""

    def read(session: Session) -> list[Entry]:
        return [{"name": one.name, "description": one.description} for one in session.scalars(select(model).order_by(model.name))]

    def write(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
        put(work.session, model, entry["name"], changed, work.actor)

    def drop(work: Work, entry: Entry) -> None:
        remove(work.session, find(work.session, model, entry["name"]), work.actor)

    return Kind(name, entries.Named, read, write, drop)


def _racks(session: Session) -> list[Entry]:
    return [{"name": name} for name in session.scalars(select(Rack.name).order_by(Rack.name))]


def _add_rack(work: Work, entry: Entry, _changed: Entry, _before: Entry | None) -> None:
    ensure_rack(work.session, entry["name"], work.actor)


def _pools(session: Session) -> list[Entry]:
    return [pool_document(one) for one in session.scalars(select(Pool).order_by(Pool.name))]


def _put_pool(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
    set_policy(work.session, entry["name"], changed, work.actor)


def _drop_pool(work: Work, entry: Entry) -> None:
    remove(work.session, find(work.session, Pool, entry["name"]), work.actor)


RACKS = Kind("racks", entries.Name, _racks, _add_rack)
SPACES = named_kind("spaces", Space)
FABRICS = named_kind("fabrics", Fabric)
ZONES = named_kind("zones", Zone)
POOLS = Kind("pools", entries.Pool, _pools, _put_pool, _drop_pool)
