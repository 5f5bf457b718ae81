"""Allocation plans: what an allocation would get, without taking it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from inventory_service.allocate import existing
from inventory_service.allocation_requests import complete_credentials
from inventory_service.apart import check_alone
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.leases import lease_of
from inventory_service.api.schemas.allocations import AllocationPlan, AllocationPlanIn
from inventory_service.asking import could_be
from inventory_service.auth import Caller
from inventory_service.pick import best, understand
from inventory_service.plan import candidates
from inventory_service.refusals import refusal
from inventory_service.sets import check_set, choose, existing_set, why_no_set
from inventory_service.wanted import Wanted, WantedSet
from inventory_service.where import Search

bp = APIBlueprint("allocation_plans", __name__, url_prefix="/api/v1", tag="Allocations")
by_token(bp, "admin", "user")

CANDIDATES = 5


@bp.post("/allocation-plans")
@bp.input(AllocationPlanIn, arg_name="wanted")
@bp.output(AllocationPlan)
@needs("anyone", changes=False)
def plan_allocation(wanted: AllocationPlanIn) -> dict[str, Any]:
    """Show which nodes an allocation would get, best first, and why. Nothing is written, nothing is held.

    When nothing fits, the answer is the one that the allocation would get.
    """
    parts, who = services(), caller()
    asked = Wanted.of(wanted.model_dump() | {"lease": lease_of(wanted)})
    several = WantedSet(asked, wanted.count, wanted.min_count or wanted.count, wanted.same) if wanted.count else None
    if several:
        check_set(several)
    else:
        check_alone(wanted.not_with, wanted.spread)
    whole = several is not None and bool(wanted.same or wanted.spread)
    search = Search(parts, who, asked, wanted.count or 1, whole)
    least = several.least if several else 1
    for narrowing in search.narrowings():
        with parts.database.read() as session:
            _check(session, who, wanted)
            request = understand(session, who, asked, least)
            ids = list(session.scalars(best(request, *narrowing, limit=CANDIDATES)))
            if several:
                ids = next(choose(session, several, request, *narrowing), [])
            if ids:
                return {"candidates": candidates(session, asked, request, ids), "would_wait": False}
    with parts.database.read() as session:
        request = understand(session, who, asked, least)
        if wanted.wait and could_be(session, several or asked, request):
            return {"candidates": [], "would_wait": True}
        if several:
            raise why_no_set(session, who, several, request, search.excluded())
        raise refusal(session, who, asked, request, by_expression=search.excluded())


def _check(session: Session, who: Caller, wanted: AllocationPlanIn) -> None:
    """Refuse what the allocation would be refused for, besides what no node fits."""
    if wanted.name and wanted.count:
        existing_set(session, who, wanted.name, wanted.count)
    elif wanted.name:
        existing(session, who, wanted.name)
    if wanted.credentials is not None and wanted.deploy:
        complete_credentials(session, who.user_id, wanted.credentials.model_dump())
