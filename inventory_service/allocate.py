"""Give a fitting node to a user: one transaction, best fit first, and a reason when nothing fits.

The pick and the change of state are one statement inside ``BEGIN IMMEDIATE`` (SQLite) or with
``FOR UPDATE SKIP LOCKED`` (PostgreSQL); a partial unique index of the database guards the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, exists, false, func, literal_column, or_, select, true
from sqlalchemy.orm import Session

from inventory_service import clock, root_disk
from inventory_service.auth import Caller, check_name
from inventory_service.constraints import Constraint, parse
from inventory_service.db import touch
from inventory_service.hostnames import check_hostname
from inventory_service.images import find_image
from inventory_service.models import Allocation, Disk, Image, Node
from inventory_service.problems import Conflict, NothingFits
from inventory_service.states import advance

_READY = Node.state == literal_column("'ready'")


@dataclass(frozen=True)
class Wanted:
    """What a user asks for.

    :param image: the image to deploy; the node has to be able to boot it
    :param deploy: whether it is deployed at once, which needs a root disk that is clear
    """

    name: str | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    deploy: bool = True
    hostname: str | None = None
    root_disk: str | None = None
    credentials: str | None = None


def _image_fits(image: Image) -> ColumnElement[bool]:
    boots = or_(Node.firmware.is_(None), Node.firmware.in_(image.boot)) if image.boot else false()
    room = or_(Node.disk_bytes.is_(None), Node.disk_bytes >= image.disk_bytes)
    return (Node.arch == image.arch) & boots & room


def _all_constraints(session: Session, wanted: Wanted) -> list[Constraint]:
    constraints = parse(session, wanted.constraints)
    if wanted.image:
        constraints.append(Constraint("image", wanted.image, _image_fits(find_image(session, wanted.image))))
    if wanted.root_disk:
        has_it = exists().where(Disk.node_id == Node.id, Disk.serial == wanted.root_disk).correlate(Node)
        constraints.append(Constraint("root_disk", wanted.root_disk, has_it))
    elif wanted.deploy and wanted.image:
        constraints.append(Constraint("root_disk", "(unambiguous)", Node.root_disk.is_not(None)))
    return constraints


def existing(session: Session, caller: Caller, name: str) -> Allocation | None:
    """The allocation of that name, when this user holds it already.

    :raises Conflict: another user holds it, or it is being released
    """
    found = session.scalar(select(Allocation).where(Allocation.name == name, Allocation.state != "released"))
    if found is None:
        return None
    if found.user_id != caller.user_id:
        raise Conflict(
            f"the name {name!r} is taken by another user's allocation: choose another", field="name", value=name
        )
    if found.state == "releasing":
        raise Conflict(
            f"allocation {name!r} is being released: wait for its operation to end, or choose another name",
            field="name",
            value=name,
        )
    return found


def allocate(session: Session, caller: Caller, wanted: Wanted) -> Allocation:
    """Pick the best fitting node and hold it for the user.

    :raises Invalid: a constraint, a name or an image that means nothing
    :raises NothingFits: with what excluded how many nodes
    :raises AmbiguousRootDisk: what would fit has several disks to choose from
    """
    name = check_name("name", wanted.name) if wanted.name else f"a-{secrets.token_hex(4)}"
    hostname = check_hostname("hostname", wanted.hostname or name.replace("_", "-").replace(".", "-"))
    constraints = _all_constraints(session, wanted)
    node = _pick(session, constraints)
    if node is None:
        raise _why_none(session, constraints)
    now = clock.now()
    allocation = Allocation(
        name=name,
        user_id=caller.user_id,
        node_id=node.id,
        node_name=node.name,
        state="allocated",
        reason=None,
        constraints=dict(wanted.constraints),
        image=wanted.image,
        root_disk=wanted.root_disk,
        hostname=hostname,
        credentials=wanted.credentials,
        address=None,
        ssh_user=None,
        host_keys=[],
        created_at=now,
        activated_at=None,
        released_at=None,
    )
    session.add(allocation)
    session.flush()
    node.idle_since = now
    advance(session, node, "allocate", caller.actor, allocation=allocation, constraints=dict(wanted.constraints))
    touch(session, "allocations")
    return allocation


def _pick(session: Session, constraints: Sequence[Constraint]) -> Node | None:
    """The ready node that is worth least and fits, then the one used longest ago.

    Nodes that another transaction holds at this moment are passed over. When that leaves none, they are waited for:
    the other transaction may give up, and a no has to be true.
    """
    fits = (
        select(Node)
        .where(_READY, Node.locked.is_(False), *(one.condition for one in constraints))
        .order_by(
            Node.cost,
            Node.idle_since,
            Node.id,
        )
        .limit(literal_column("1"))
    )
    found = session.scalar(fits.with_for_update(of=Node, skip_locked=True))
    return found or session.scalar(fits.with_for_update(of=Node))


def _why_none(session: Session, constraints: Sequence[Constraint]) -> Conflict:
    """Count the nodes that each constraint excludes, each constraint for itself."""
    considered = session.scalar(select(func.count()).select_from(Node)) or 0
    refusals = [
        Constraint("state", "ready", _READY),
        Constraint("locked", "false", Node.locked.is_(False)),
        *constraints,
    ]
    counts = session.execute(
        select(*(func.count().filter(func.coalesce(~one.condition, true())) for one in refusals)).select_from(Node)
    ).one()
    excluded = [
        {"constraint": one.name, "value": one.value, "nodes": count}
        for one, count in zip(refusals, counts, strict=True)
        if count
    ]
    but_for_the_disk = [one for one in constraints if one.value != "(unambiguous)"]
    if len(but_for_the_disk) < len(constraints):
        undecided = _pick(session, but_for_the_disk)
        if undecided is not None:
            session.refresh(undecided, ["disks"])
            return root_disk.refuse(undecided.name, undecided.disks)
    parts = [f"{one['constraint']}={one['value']} excluded {one['nodes']}" for one in excluded]
    return NothingFits(
        f"no node fits: of {considered}, " + (", ".join(parts) or "none is left") + "; ask for less, or wait",
        excluded=excluded,
        considered=considered,
    )
