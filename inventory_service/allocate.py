"""Give a fitting node to a user, in one transaction; the partial unique indexes of the database guard the rest."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, insert
from sqlalchemy.orm import Session, make_transient_to_detached
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from inventory_service import clock, leases
from inventory_service.addresses import assign
from inventory_service.annotations import merged
from inventory_service.auth import Caller, check_name
from inventory_service.db import connection_of
from inventory_service.events import record
from inventory_service.held_names import held_as, taken
from inventory_service.hostnames import check_hostname
from inventory_service.models import Allocation
from inventory_service.pick import Request, pick, root_disk_of
from inventory_service.policies import policies_of
from inventory_service.prepared import Prepared
from inventory_service.problems import Conflict
from inventory_service.states import Moved
from inventory_service.wanted import Wanted

_TABLE = Allocation.__table__
assert isinstance(_TABLE, Table)
_EMPTY = {
    one.key: one.default.arg if isinstance(one.default, ScalarElementColumnDefault) else {} if one.default else None
    for one in _TABLE.c
    if one.key != "id"
}
"""What a row has that nothing is said of."""
_ADD = Prepared(insert(_TABLE).returning(_TABLE.c.id), list(_EMPTY))


def existing(session: Session, caller: Caller, name: str) -> Allocation | None:
    """The allocation of that name, when this user holds it already.

    :raises Conflict: it is another user's or a set's, or it is being released
    """
    found = next(iter(held_as(session, name)), None)
    if found is None:
        return None
    if found.user_id != caller.user_id or found.name != name:
        raise taken(caller, name, found)
    if found.state == "releasing":
        raise Conflict(
            f"allocation {name!r} is being released: wait for its operation to end, or choose another name",
            field="name",
            value=name,
        )
    return found


class Taken(NamedTuple):
    """An allocation that has just got its node, and what is known of it besides.

    :param zone: the node's, by name, as the pool is
    :param has_addresses: whether it may hold addresses
    """

    allocation: Allocation
    zone: str
    pool: str
    has_addresses: bool


def take(
    session: Session,
    caller: Caller,
    wanted: Wanted,
    request: Request,
    *more: ColumnElement[bool],
    waiting: Allocation | None = None,
) -> Taken | None:
    """Take the best node that fits and is free; None when there is none.

    :param request: what ``pick.understand`` made of ``wanted``
    :param more: what the node has to meet besides, such as ``Node.id == 7``
    :param waiting: the allocation that stands in line and gets the node; a new one is made otherwise
    """
    name = name_of(wanted, waiting)
    hostname = hostname_of(wanted, name)
    node = pick(session, request, *more)
    if node is None:
        return None
    return keep(session, caller, replace(wanted, name=name, hostname=hostname), request, node, waiting=waiting)


def keep(
    session: Session,
    caller: Caller,
    wanted: Wanted,
    request: Request,
    node: Moved,
    *,
    set_name: str | None = None,
    waiting: Allocation | None = None,
) -> Taken:
    """Write down whose a node is that was just picked.

    :param wanted: with its name and host name
    """
    # The pool may have been made, and given this node, since the request was understood.
    policy = request.policies.get(node.pool_id) or policies_of(session, caller.user_id)[node.pool_id]
    values = {
        "node_id": node.id,
        "node_name": node.name,
        "pool_id": node.pool_id,
        "cpus": node.cpus or 0,
        "memory_bytes": node.memory_bytes or 0,
        "state": "allocated",
        "root_disk": root_disk_of(session, node.id, wanted, request),
        **leases.begin(session, wanted, policy),
    }
    if waiting is None:
        allocation = make(session, values | asked(caller, wanted) | {"set_name": set_name})
    else:
        allocation = waiting
        for column, value in values.items():
            setattr(allocation, column, value)
        session.flush()
    record(session, "node.allocated", caller.actor, node=node, allocation=allocation,
           before="ready", verb="allocate", constraints=dict(wanted.constraints))  # fmt: skip
    zone, gets_addresses = node.told
    if gets_addresses or wanted.addresses:
        assign(session, allocation, node, caller.actor, wanted.addresses)
    return Taken(allocation, zone, policy.pool, bool(gets_addresses or wanted.addresses))


def make(session: Session, values: dict[str, Any]) -> Allocation:
    """A new allocation: its row is inserted at once, and is not read again, because all of it is known."""
    whole = _EMPTY | values
    ((number,),) = _ADD(connection_of(session), whole)
    allocation = Allocation()
    vars(allocation).update(whole, id=number)  # as if it had been read: nothing of it is a change
    make_transient_to_detached(allocation)
    session.add(allocation)
    return allocation


def hostname_of(wanted: Wanted, name: str) -> str:
    """The host name that was asked for, else one that the allocation's name makes."""
    return check_hostname("hostname", wanted.hostname or name.replace("_", "-").replace(".", "-"))


def name_of(wanted: Wanted, waiting: Allocation | None = None) -> str:
    """The allocation's name; made up when none was asked for."""
    if waiting is not None:
        return waiting.name
    return check_name("name", wanted.name) if wanted.name else f"a-{secrets.token_hex(4)}"


def asked(caller: Caller, wanted: Wanted) -> dict[str, Any]:
    """What a new allocation's row says of the request."""
    return {
        "name": wanted.name,
        "user_id": caller.user_id,
        "reason": None,
        "constraints": dict(wanted.constraints),
        "request": wanted.document(),
        "image": wanted.image,
        "hostname": wanted.hostname,
        "note": wanted.note,
        "annotations": merged({}, wanted.annotations),
        "credentials": wanted.credentials,
        "address": None,
        "ssh_user": None,
        "host_keys": [],
        "created_at": clock.now(),
        "activated_at": None,
        "released_at": None,
    }
