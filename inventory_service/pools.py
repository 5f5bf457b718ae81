"""Pools and their policies, as administrators set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from inventory_service.events import record
from inventory_service.leases import policy_changed
from inventory_service.models import Pool
from inventory_service.places import ensure_pool

_MAY_BE_NULL = ("lease_default_seconds", "lease_max_seconds", "lease_total_seconds")


def set_policy(session: Session, name: str, values: Mapping[str, Any], actor: str) -> Pool:
    """Set what is given of a pool's policy; the pool is made when there is none of that name."""
    pool = ensure_pool(session, name)
    changed = {
        key: value
        for key, value in values.items()
        if (value is not None or key in _MAY_BE_NULL) and getattr(pool, key) != value
    }
    for key, value in changed.items():
        setattr(pool, key, value)
    if changed:
        record(session, "pool.changed", actor, pool=name, changed=changed)
        policy_changed(session, pool)
    return pool
