"""Quotas: of one user, or of everybody who has no other."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from inventory_service.models import Pool, Quota, User
from inventory_service.named import named
from inventory_service.people import find_user
from inventory_service.policies import Amount
from inventory_service.quotas import delete_quota, set_quota
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work


def _quotas(session: Session) -> list[Entry]:
    rows = session.scalars(select(Quota).options(joinedload(Quota.pool), joinedload(Quota.user)))
    return sorted(map(_entry, rows), key=QUOTAS.key_of)


def _entry(quota: Quota) -> Entry:
    limit = Amount(quota.nodes, quota.cpus, quota.memory_bytes)
    return {"pool": quota.pool.name, "user": quota.user.name if quota.user else None, **limit.document()}


def _of(session: Session, entry: Entry) -> tuple[Pool, User | None]:
    user = entry.get("user")
    return named(session, Pool, "pool", entry["pool"]), find_user(session, user, "user") if user else None


def _set(work: Work, entry: Entry, _changed: Entry, before: Entry | None) -> None:
    said = (before or {}) | entry
    limit = Amount(said.get("nodes"), said.get("cpus"), said.get("memory_bytes"))
    set_quota(work.session, *_of(work.session, said), limit, work.actor)


def _drop(work: Work, entry: Entry) -> None:
    delete_quota(work.session, *_of(work.session, entry), work.actor)


QUOTAS = Kind("quotas", entries.Quota, _quotas, _set, _drop, key=("pool", "user"))
