"""Quotas: how much users may hold of a pool, and how much they do."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.schemas.quotas import Quota as QuotaOut
from inventory_service.api.schemas.quotas import QuotaFilter, QuotaIn, Quotas
from inventory_service.models import Pool, Quota, User
from inventory_service.policies import Amount, policies_of
from inventory_service.problems import NotFound
from inventory_service.quotas import delete_quota, set_quota, usage
from inventory_service.rights import visible_pools

bp = APIBlueprint("quotas", __name__, url_prefix="/api/v1", tag="Users")
by_token(bp, "admin", "user")

NOTHING = Amount(0, 0, 0)


def _document(quota: Quota, used: Amount | None) -> dict[str, Any]:
    return {
        "pool": quota.pool.name,
        "user": quota.user.name if quota.user else None,
        "limit": Amount(quota.nodes, quota.cpus, quota.memory_bytes).document(),
        "used": used.document() if used else None,
    }


def _pool(session: Session, name: str) -> Pool:
    pool = session.scalar(select(Pool).where(Pool.name == name))
    if pool is None:
        raise NotFound("pool", name)
    return pool


def _user(session: Session, name: str | None) -> User | None:
    if name is None:
        return None
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFound("user", name)
    return user


@bp.get("/quotas")
@bp.input(QuotaFilter, location="query", arg_name="wanted")
@bp.output(Quotas)
@needs("anyone")
def list_quotas(wanted: QuotaFilter) -> dict[str, Any]:
    """The quotas that count for the caller, with what is used of them; for an administrator all, or those of a `user`."""
    who, after = caller(), number(wanted.after) or 0
    with services().database.read() as session:
        asked_for = _user(session, wanted.user) if who.is_admin else None
        whose = asked_for.id if asked_for else None if who.is_admin else who.user_id
        query = select(Quota).options(joinedload(Quota.pool), joinedload(Quota.user)).order_by(Quota.id)
        if whose is not None:
            query = query.where(Quota.id.in_([one.quota_id for one in policies_of(session, whose).values() if one.quota_id]))
        if seen := visible_pools(session, who):
            query = query.where(Quota.pool_id.in_(select(Pool.id).where(*seen)))
        rows, following = part(session, query.where(Quota.id > after), wanted.limit, lambda one: one.id)
        holders = [whose or one.user_id for one in rows]
        used = usage(session, [one for one in holders if one is not None])
        items = [
            _document(one, used.get((holder, one.pool_id), NOTHING) if holder is not None else None)
            for one, holder in zip(rows, holders, strict=True)
        ]
        return {"items": items, "next": following}


@bp.put("/quotas/<pool>")
@bp.input(QuotaIn, arg_name="wanted")
@bp.output(QuotaOut)
@needs("administrator")
def put_quota_of_everybody(pool: str, wanted: QuotaIn) -> dict[str, Any]:
    """Set how much each user may hold of a pool who has no quota of their own there."""
    return _put(pool, None, wanted)


@bp.put("/quotas/<pool>/<user>")
@bp.input(QuotaIn, arg_name="wanted")
@bp.output(QuotaOut)
@needs("administrator")
def put_quota(pool: str, user: str, wanted: QuotaIn) -> dict[str, Any]:
    """Set how much one user may hold of a pool. What is held stays; null is without a limit."""
    return _put(pool, user, wanted)


@bp.delete("/quotas/<pool>")
@bp.output({}, status_code=204)
@needs("administrator")
def remove_quota_of_everybody(pool: str) -> Response:
    """Take away the quota of those who have none of their own."""
    return _delete(pool, None)


@bp.delete("/quotas/<pool>/<user>")
@bp.output({}, status_code=204)
@needs("administrator")
def remove_quota(pool: str, user: str) -> Response:
    """Take a user's own quota away; the one of everybody counts again."""
    return _delete(pool, user)


def _put(pool: str, user: str | None, wanted: QuotaIn) -> dict[str, Any]:
    who = caller()
    with services().database.write() as session:
        holder = _user(session, user)
        quota = set_quota(session, _pool(session, pool), holder, Amount(**wanted.model_dump()), who.actor)
        used = usage(session, [holder.id]).get((holder.id, quota.pool_id), NOTHING) if holder else None
        return _document(quota, used)


def _delete(pool: str, user: str | None) -> Response:
    who = caller()
    with services().database.write() as session:
        if not delete_quota(session, _pool(session, pool), _user(session, user), who.actor):
            raise NotFound("quota", f"{pool}/{user}" if user else pool)
    return Response(status=204)
