"""Zones and pools: the ones that nodes, constraints and settings name."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.auth import check_name
from inventory_service.models import Pool, Rack, Zone
from inventory_service.problems import Invalid


def ensure_zone(session: Session, name: str) -> Zone:
    """The zone of that name; made when there is none."""
    zone = session.scalar(select(Zone).where(Zone.name == check_name("zone", name)))
    if zone is None:
        zone = Zone(name=name, description="")
        session.add(zone)
        session.flush()
    return zone


def ensure_pool(session: Session, name: str) -> Pool:
    """The pool of that name; made when there is none, with a policy that allows every method of erasing."""
    pool = session.scalar(select(Pool).where(Pool.name == check_name("pool", name)))
    if pool is None:
        pool = Pool(name=name, description="", erase_methods=[])
        session.add(pool)
        session.flush()
    return pool


def find_rack(session: Session, name: str) -> Rack:
    """The rack of that name.

    :raises Invalid: there is none; racks come into being with the token of their worker
    """
    rack = session.scalar(select(Rack).where(Rack.name == name))
    if rack is None:
        known = session.scalars(select(Rack.name).order_by(Rack.name)).all()
        raise Invalid("rack", name, f"there is no rack {name!r}; a token for its worker makes one", known)
    return rack
