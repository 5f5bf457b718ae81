"""Why no node fits: how many each constraint excludes."""

from __future__ import annotations

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from inventory_service import root_disk
from inventory_service.constraints import Constraint
from inventory_service.models import Node
from inventory_service.pick import READY, Request, best
from inventory_service.problems import Conflict, NothingFits


def why_none(session: Session, request: Request) -> Conflict:
    """Count the nodes that each constraint excludes, each constraint for itself."""
    constraints = request.constraints
    considered = session.scalar(select(func.count()).select_from(Node).where(*request.visible)) or 0
    refusals = [
        Constraint("state", "ready", READY),
        Constraint("locked", "false", Node.locked.is_(False)),
        *constraints,
    ]
    counts = session.execute(
        select(*(func.count().filter(func.coalesce(~one.condition, true())) for one in refusals))
        .select_from(Node)
        .where(*request.visible)
    ).one()
    excluded = [
        {"constraint": one.name, "value": one.value, "nodes": count}
        for one, count in zip(refusals, counts, strict=True)
        if count
    ]
    but_for_the_disk = [one for one in constraints if one.value != "(unambiguous)"]
    if len(but_for_the_disk) < len(constraints):
        undecided = session.scalar(best(Request(but_for_the_disk, request.visible), locked=False))
        if undecided is not None:
            node = session.get_one(Node, undecided)
            session.refresh(node, ["disks"])
            return root_disk.refuse(node.name, node.disks)
    parts = [f"{one['constraint']}={one['value']} excluded {one['nodes']}" for one in excluded]
    return NothingFits(
        f"no node fits: of {considered}, " + (", ".join(parts) or "none is left") + "; ask for less, or wait",
        excluded=excluded,
        considered=considered,
    )
