"""What to say when a request got nothing: the policy that is in the way, else why no node fits."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from inventory_service import leases, quotas
from inventory_service.auth import Caller
from inventory_service.explain import ByExpression, Together, why_none
from inventory_service.models import NODE
from inventory_service.pick import Request, best
from inventory_service.problems import Problem
from inventory_service.wanted import Wanted

EVER = NODE.state != "retired"
"""States from which a node may become free some day."""


def refusal(
    session: Session,
    caller: Caller,
    wanted: Wanted,
    request: Request,
    needed: int = 1,
    *,
    by_expression: ByExpression | None = None,
    together: Together | None = None,
) -> Problem:
    """The error for a request that nothing free fits.

    :param needed: how many nodes were asked for; the rest as in ``why_none``
    """
    at_all = without(request, "quota")
    whatever_lease = without(at_all, "lease")
    by_lease = len(whatever_lease.constraints) < len(at_all.constraints)
    if by_lease and not in_use(session, at_all) and in_use(session, whatever_lease):
        return leases.refuse(request.policies, wanted)
    by_quota = len(at_all.constraints) < len(request.constraints)
    if by_quota and len(session.scalars(best(at_all, limit=needed)).all()) == needed:
        return quotas.refuse(session, caller.user_id, request.policies)
    return why_none(session, request, needed, by_expression=by_expression, together=together)


def without(request: Request, name: str) -> Request:
    """The same request, but for the constraints of this name."""
    return replace(request, constraints=[one for one in request.constraints if one.name != name])


def in_use(session: Session, request: Request) -> bool:
    """Whether some node would do if it were free."""
    return bool(session.scalar(select(exists().where(*request.conditions, EVER))))
