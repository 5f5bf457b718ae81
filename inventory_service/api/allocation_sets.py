"""Allocation sets: several nodes at once, all or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from inventory_service import asking
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.leases import lease_of, wait_until
from inventory_service.api.schemas.allocations import AllocationSet, AllocationSetIn
from inventory_service.api.schemas.operations import OperationsOfSet
from inventory_service.auth import Caller
from inventory_service.documents.allocation import allocation_documents
from inventory_service.documents.operation import operation_document
from inventory_service.images import find_image
from inventory_service.models import Allocation
from inventory_service.pick import understand
from inventory_service.problems import QuotaUsedUp
from inventory_service.set_requests import find_set, release_set
from inventory_service.sets import check_set, existing_set, why_no_set
from inventory_service.wanted import Wanted, WantedSet
from inventory_service.where import NoneLeft, Search

bp = APIBlueprint("allocation_sets", __name__, url_prefix="/api/v1", tag="Allocations")
by_token(bp, "admin", "user")


@bp.post("/allocation-sets")
@bp.input(AllocationSetIn, arg_name="wanted")
@bp.output(AllocationSet, status_code=201)
@bp.doc(
    responses={
        200: "The caller holds a set of that name already, or it waits in line; it is unchanged.",
        202: "Not enough are free: the set waits in line (`wait`). Poll its allocation with `?wait=`; DELETE cancels.",
    }
)
@needs("anyone")
def acquire_set(wanted: AllocationSetIn) -> tuple[dict[str, Any], int]:
    """Take several nodes in one transaction: `count` of them, or at least `min_count`, or none.

    Each is an allocation of its own, named `NAME-1` to `NAME-N`. In line `NAME-1` stands for all of them.
    """
    parts, who = services(), caller()
    if wanted.deploy and not wanted.image:
        with parts.database.read() as session:
            find_image(session, wanted.image or "")
    login = parts.vault.encrypt_document(wanted.credentials.model_dump())
    each = Wanted.of(wanted.model_dump() | {"lease": lease_of(wanted)}, login)
    asked = WantedSet(each, wanted.count, wanted.min_count or wanted.count, wanted.same)
    check_set(asked)
    search = Search(parts, who, each, wanted.count, whole=bool(wanted.same or wanted.spread))
    not_now = (NoneLeft, QuotaUsedUp) if wanted.wait else (NoneLeft,)
    for narrowing in search.narrowings():
        with suppress(*not_now), parts.database.write() as session:
            request = understand(session, who, each, asked.least)
            held = existing_set(session, who, wanted.name, wanted.count) if wanted.name else []
            if held:
                return _document(session, who, held[0].set_name or ""), 200
            taken = asking.acquire_set(session, parts, who, asked, request, *narrowing)
            if not taken:
                raise NoneLeft
            return _shown(session, who, taken), 201
    if wanted.wait:
        with suppress(NoneLeft), parts.database.write() as session:
            held = existing_set(session, who, wanted.name, wanted.count) if wanted.name else []
            if held:
                return _shown(session, who, held), 200
            taken = asking.join_set(session, parts, who, asked, wait_until(wanted))
            if not taken:
                raise NoneLeft
            return _shown(session, who, taken), 202 if taken[0].state == "waiting" else 201
    with parts.database.read() as session:
        raise why_no_set(session, who, asked, understand(session, who, each, asked.least), search.excluded())


@bp.get("/allocation-sets/<name>")
@bp.output(AllocationSet)
@needs("holder")
def show_allocation_set(name: str) -> dict[str, Any]:
    """Show what is held of a set."""
    with services().database.read() as session:
        return _document(session, caller(), name)


@bp.delete("/allocation-sets/<name>")
@bp.output(OperationsOfSet, status_code=202)
@needs("holder")
def release_allocation_set(name: str) -> dict[str, Any]:
    """Give all nodes of a set back: their disks are erased, then others may have them."""
    with services().database.write() as session:
        return {"items": [operation_document(one) for one in release_set(session, services(), caller(), name)]}


def _shown(session: Session, who: Caller, taken: Sequence[Allocation]) -> dict[str, Any]:
    session.flush()
    return _document(session, who, taken[0].set_name or "")


def _document(session: Session, who: Caller, name: str) -> dict[str, Any]:
    items = allocation_documents(session, find_set(session, who, name))
    return {"name": name, "place": items[0]["place"], "items": items}
