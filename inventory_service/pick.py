"""Which node fits best: one statement over the index of ready nodes, cheapest first, then the one used longest ago.

What may be picked at all stands here once (``may_be_picked``); what a request adds to it comes from ``constraints``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, exists, false, literal_column, or_, select
from sqlalchemy.orm import Session

from inventory_service import leases, quotas
from inventory_service.addresses import wanted_constraints
from inventory_service.auth import Caller
from inventory_service.constraints import Constraint, parse
from inventory_service.images import find_image
from inventory_service.models import Disk, Image, Node
from inventory_service.rights import usable
from inventory_service.states import Moved, advance_chosen
from inventory_service.wanted import Wanted

READY = Node.state == literal_column("'ready'")


@dataclass(frozen=True)
class Request:
    """What a user asks for, as SQL.

    :param constraints: all that the node must have
    :param visible: which nodes the caller may use at all; the others are not even counted
    """

    constraints: Sequence[Constraint]
    visible: Sequence[ColumnElement[bool]] = field(default_factory=tuple)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a free node has to meet."""
        return [*self.visible, *(one.condition for one in self.constraints)]


def may_be_picked() -> list[ColumnElement[bool]]:
    """What every node has to be, whatever is asked for."""
    return [READY, Node.locked.is_(False)]


def understand(session: Session, caller: Caller, wanted: Wanted) -> Request:
    """The request in SQL.

    :raises Invalid: a constraint or an image that means nothing
    """
    constraints = parse(session, wanted.constraints)
    if wanted.image:
        constraints.append(Constraint("image", wanted.image, _image_fits(find_image(session, wanted.image))))
    if wanted.root_disk:
        has_it = exists().where(Disk.node_id == Node.id, Disk.serial == wanted.root_disk).correlate(Node)
        constraints.append(Constraint("root_disk", wanted.root_disk, has_it))
    elif wanted.deploy and wanted.image:
        constraints.append(Constraint("root_disk", "(unambiguous)", Node.root_disk.is_not(None)))
    constraints += wanted_constraints(session, wanted.addresses)
    constraints += [*leases.limits(session, wanted), *quotas.limits(session, caller.user_id)]
    return Request(constraints, usable(session, caller))


def _image_fits(image: Image) -> ColumnElement[bool]:
    boots = or_(Node.firmware.is_(None), Node.firmware.in_(image.boot)) if image.boot else false()
    room = or_(Node.disk_bytes.is_(None), Node.disk_bytes >= image.disk_bytes)
    return (Node.arch == image.arch) & boots & room


def best(request: Request, *more: ColumnElement[bool], locked: bool = True) -> Select[int]:
    """The query for the id of the best node.

    :param more: what the node has to meet besides, such as ``Node.id == 7``
    :param locked: whether to hold the row until the transaction ends, nodes that others hold being passed over
    """
    query = (
        select(Node.id)
        .where(*may_be_picked(), *request.conditions, *more)
        .order_by(Node.cost, Node.idle_since, Node.id)
        .limit(literal_column("1"))
    )
    if not more and all(one.name != "node" for one in request.constraints):
        query = query.with_hint(Node, "INDEXED BY ix_node_free", "sqlite")
    return query.with_for_update(of=Node, skip_locked=True) if locked else query


def pick(session: Session, request: Request, *more: ColumnElement[bool]) -> Moved | None:
    """Take the best node: it is ``allocated`` when this answers; None when none is free.

    Nodes that another transaction holds at this moment are passed over. When that leaves none, they are waited for:
    the other transaction may give up, and a no has to be true.
    """
    moved = advance_chosen(session, best(request, *more), "ready", "allocate")
    if not moved and session.scalar(best(request, *more, locked=False)) is not None:
        waiting = best(request, *more, locked=False).with_for_update(of=Node)
        moved = advance_chosen(session, waiting, "ready", "allocate")
    return moved[0] if moved else None


def fits(session: Session, node_id: int, request: Request) -> bool:
    """Whether this node is free and is what the request asks for."""
    return session.scalar(best(request, Node.id == node_id, locked=False)) is not None
