"""The names of what is held: an allocation and a set never share one, so that a name says what is meant.

Both are columns of one table, which no unique index can compare: a name is held from the look at it until the transaction
ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from inventory_service.auth import Caller
from inventory_service.db import alone
from inventory_service.models import Allocation
from inventory_service.problems import Conflict


def held_as(session: Session, *names: str) -> Sequence[Allocation]:
    """What is held under these names, alone or in a set; nobody else takes one of them until this transaction ends."""
    alone(session, *(f"name {name}" for name in names))
    query = select(Allocation).where(or_(Allocation.name.in_(names), Allocation.set_name.in_(names)))
    return session.scalars(query.where(Allocation.state != "released").order_by(Allocation.id)).all()


def taken(caller: Caller, name: str, holder: Allocation) -> Conflict:
    """The error for a name that is another allocation's or set's.

    :param holder: it, or one of the set
    """
    whose = "your own" if holder.user_id == caller.user_id else "another user's"
    what = "allocation" if holder.name == name else "set"
    return Conflict(f"the name {name!r} is taken by {whose} {what}: choose another", field="name", value=name)
