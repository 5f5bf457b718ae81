"""What a user may do with a set of allocations: look at it, have it deployed, give it back."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from inventory_service.allocation_requests import release
from inventory_service.auth import Caller
from inventory_service.models import Allocation, Operation
from inventory_service.problems import NotFound
from inventory_service.rights import visible_allocations
from inventory_service.services import Services


def find_set(session: Session, caller: Caller, name: str) -> list[Allocation]:
    """What is held of a set that the caller may see.

    :raises NotFound: nothing is
    """
    query = select(Allocation).where(Allocation.set_name == name, Allocation.state != "released")
    query = query.where(*visible_allocations(session, caller))
    found = list(session.scalars(query.options(joinedload(Allocation.user)).order_by(Allocation.id)))
    if not found:
        raise NotFound("allocation set", name)
    return found


def release_set(session: Session, services: Services, caller: Caller, name: str) -> list[Operation]:
    """Give back all that is held of a set. Asking again after a failure tries again.

    :raises NotFound: the caller holds no such set
    """
    return [
        operation
        for one in find_set(session, caller, name)
        if (operation := release(session, services, one, caller.actor)) is not None
    ]
