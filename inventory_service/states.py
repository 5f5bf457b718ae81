"""A node's states and what leads from one to another: ONE table, and the only writer of ``node.state``.

The API's answers, the page and the documentation come from this table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, literal_column, select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import connection_of
from inventory_service.events import record
from inventory_service.models import NODE, NODES, Allocation, Node
from inventory_service.offers import offer_node
from inventory_service.prepared import Prepared
from inventory_service.problems import Conflict, Overtaken

TRANSITIONS: dict[tuple[str, str], str] = {
    # (state, verb): state after it
    ("new", "commission"): "commissioning",
    ("ready", "commission"): "commissioning",
    ("failed_commissioning", "commission"): "commissioning",
    ("failed_testing", "commission"): "commissioning",
    ("broken", "commission"): "commissioning",
    ("broken", "mark_fixed"): "ready",
    ("retired", "commission"): "commissioning",
    ("commissioning", "succeed"): "ready",
    ("commissioning", "fail"): "failed_commissioning",
    ("ready", "allocate"): "allocated",
    ("allocated", "deploy"): "deploying",
    ("deployed", "deploy"): "deploying",
    ("failed_deploying", "deploy"): "deploying",
    ("deploying", "succeed"): "deployed",
    ("deploying", "fail"): "failed_deploying",
    ("allocated", "release"): "releasing",
    ("deployed", "release"): "releasing",
    ("failed_deploying", "release"): "releasing",
    ("failed_releasing", "release"): "releasing",
    ("rescue", "release"): "releasing",
    ("broken", "release"): "releasing",
    ("retired", "release"): "releasing",
    ("releasing", "succeed"): "ready",
    ("releasing", "fail"): "failed_releasing",
    ("ready", "test"): "testing",
    ("failed_testing", "test"): "testing",
    ("testing", "succeed"): "ready",
    ("testing", "fail"): "failed_testing",
    ("deployed", "rescue"): "rescue",
    ("failed_deploying", "rescue"): "rescue",
    ("rescue", "end_rescue"): "deployed",
    ("new", "set_aside"): "broken",
    ("ready", "set_aside"): "broken",
    ("failed_commissioning", "set_aside"): "broken",
    ("failed_releasing", "set_aside"): "broken",
    ("failed_testing", "set_aside"): "broken",
    ("retired", "set_aside"): "broken",
    ("new", "retire"): "retired",
    ("ready", "retire"): "retired",
    ("failed_commissioning", "retire"): "retired",
    ("failed_releasing", "retire"): "retired",
    ("failed_testing", "retire"): "retired",
    ("broken", "retire"): "retired",
}

WORKING = frozenset({"commissioning", "deploying", "releasing", "testing"})
"""States in which an operation is under way; each of them has a way to succeed and a way to fail."""

USERS = frozenset({"allocated", "deploying", "failed_deploying", "deployed", "rescue", "releasing", "failed_releasing"})
"""States in which an allocation may hold the node."""

VERBS = tuple(dict.fromkeys(verb for _state, verb in TRANSITIONS))

_DIRTIES = frozenset({"deploying", "rescue"})


def allowed(state: str) -> tuple[str, ...]:
    """The verbs that a node in this state knows, in the table's order."""
    return tuple(verb for (source, verb) in TRANSITIONS if source == state)


def sources(verb: str) -> tuple[str, ...]:
    """The states in which a verb is known."""
    return tuple(source for (source, one) in TRANSITIONS if one == verb)


def advance(
    session: Session,
    node: Node,
    verb: str,
    actor: str,
    *,
    reason: str | None = None,
    allocation: Allocation | None = None,
    operation_id: str | None = None,
    **detail: Any,
) -> None:
    """Move a node along the table: compare-and-set, with its event, in the caller's transaction.

    :param reason: why, for people; kept on the node while it is in a failed state or set aside
    :raises Conflict: the node's state does not know the verb (the answer lists what it knows)
    :raises Overtaken: another transaction moved the node just now
    """
    before = node.state
    after = TRANSITIONS.get((before, verb))
    if after is None:
        raise Conflict(
            f"node {node.name} is {before}, and {verb} is not possible then; possible: "
            f"{', '.join(one for one in allowed(before) if one not in ('succeed', 'fail')) or 'nothing'}",
            field="state",
            value=before,
            allowed=list(sources(verb)),
        )
    if verb in ("commission", "mark_fixed") and node.dirty:
        raise Conflict(
            f"node {node.name} may hold a user's data: release it first, which erases its disks",
            field="state",
            value=before,
            allowed=["release"],
        )
    values: dict[str, Any] = {
        "state": after,
        "reason": reason if after.startswith("failed_") or after in ("broken", "retired") else None,
        "version": Node.version + 1,
        "updated_at": clock.now(),
    }
    if after in _DIRTIES:
        values["dirty"] = True
    if (before, verb) == ("releasing", "succeed"):
        values["dirty"] = False
    moved = session.execute(
        update(Node)
        .where(Node.id == node.id, Node.state == before)
        .values(**values)
        .returning(Node.version)
        .execution_options(synchronize_session=False)
    ).first()
    if moved is None:
        raise Overtaken(f"node {node.name} is no longer {before}: read it again", field="state", value=before)
    session.refresh(node, ["state", "reason", "dirty", "version", "updated_at"])
    record(
        session,
        f"node.{after.replace('_', '-')}",
        actor,
        node=node,
        allocation=allocation,
        operation_id=operation_id,
        before=before,
        verb=verb,
        **({"reason": reason} if reason else {}),
        **detail,
    )
    if after == "ready":
        offer_node(session, node.id)


class Moved(NamedTuple):
    """What is known of a node that ``advance_chosen`` moved.

    :param told: what else the caller asked of it
    """

    id: int
    name: str
    pool_id: int
    cpus: int | None
    memory_bytes: int | None
    told: tuple[Any, ...] = ()


def moving(chosen: Select[int], before: str, verb: str, *tell: ColumnElement[Any]) -> Prepared:
    """The statement that moves the nodes which a query chooses along the table, all at once.

    :param chosen: ids of nodes, by the conditions in its ``SLOT``; what it locks or passes over is its own affair
    :param before: the state that they have to be in
    :param tell: what else to tell of each
    """
    now: BindParameter[datetime] = bindparam("now", None, type_=NODE.updated_at.type)
    statement = (
        update(NODES)
        .where(NODE.state == literal_column(f"'{before}'"), NODE.id.in_(select(chosen.cte("picked").c.id)))
        .values(state=TRANSITIONS[before, verb], reason=None, version=NODE.version + 1, idle_since=now, updated_at=now)
        .returning(NODE.id, NODE.name, NODE.pool_id, NODE.cpus, NODE.memory_bytes, *tell)
    )
    return Prepared(statement, about=NODES)


def advance_chosen(session: Session, move: Prepared, conditions: Sequence[ColumnElement[bool]]) -> list[Moved]:
    """Move nodes along the table; the caller writes their events.

    :param move: what ``moving`` made
    :param conditions: which nodes
    :returns: the nodes that moved; none when the query chose none
    """
    moved = move(connection_of(session), {"now": clock.now()}, conditions)
    return [Moved(number, name, pool_id, cpus, memory, tuple(told)) for number, name, pool_id, cpus, memory, *told in moved]
