"""Everything that changes something leaves an event, in the same transaction."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import connection_of
from inventory_service.models import Allocation, Event
from inventory_service.prepared import Prepared

_TABLE = Event.__table__
assert isinstance(_TABLE, Table)
_ADD = Prepared(insert(_TABLE).inline(), [one.key for one in _TABLE.c if one.key != "id"])
"""Every change writes an event, and nobody reads it back in the same transaction."""


class Named(Protocol):
    """A node, or a row with what an event says of it."""

    @property
    def id(self) -> int: ...

    @property
    def name(self) -> str: ...


def record(
    session: Session,
    kind: str,
    actor: str,
    *,
    node: Named | None = None,
    allocation: Allocation | None = None,
    operation_id: str | None = None,
    **detail: Any,
) -> None:
    """Add an event to the transaction. The detail holds no secrets: it is shown to whoever may see the node.

    :param kind: what happened, such as ``node.ready`` or ``security.checkin-refused``
    :param actor: who did it: a user's name, ``worker <rack>``, ``boot <address>`` or ``engine``
    """
    _ADD(
        connection_of(session),
        {
            "at": clock.now(),
            "kind": kind,
            "actor": actor,
            "node_id": node.id if node else None,
            "node_name": node.name if node else None,
            "allocation": allocation.name if allocation else None,
            "allocation_user_id": allocation.user_id if allocation else None,
            "operation_id": operation_id,
            "detail": detail,
        },
    )
