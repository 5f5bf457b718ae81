"""What users write beside their allocations."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from inventory_service.allocation_requests import annotate, find_allocation
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.schemas.allocations import Allocation as AllocationOut
from inventory_service.api.schemas.allocations import AllocationChange
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.allocation import allocation_document

bp = APIBlueprint("notes", __name__, url_prefix="/api/v1", tag="Allocations")
by_token(bp, "admin", "user")


@bp.patch("/allocations/<name>")
@bp.input(AllocationChange, arg_name="wanted")
@bp.output(AllocationOut)
@needs("holder")
@versioned
def patch_allocation(name: str, wanted: AllocationChange) -> dict[str, Any]:
    """Write a note or annotations beside an allocation that is held. An annotation that is null goes."""
    who = caller()
    with services().database.write() as session:
        allocation = find_allocation(session, who, name)
        need_version(session, allocation)
        show_version(allocation)
        annotate(session, allocation, wanted.note, wanted.annotations or {}, who.actor)
        return allocation_document(session, allocation)
