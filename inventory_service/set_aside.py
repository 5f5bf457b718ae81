"""Nodes that keep failing are set aside: every failed operation is noted, and the rules of its pool say when it is enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.cost import set_cost
from inventory_service.db import touch
from inventory_service.models import Failure, Node, NodeFacts, Pool
from inventory_service.models.places import SET_ASIDE
from inventory_service.problems import Conflict
from inventory_service.states import advance

_FREE = ("ready", "failed_commissioning", "failed_testing")
"""States in which nobody holds a node, so that it can be set aside."""


def note_failure(
    session: Session, node: Node, kind: str, operation_id: str, allocation_id: int | None, reason: str
) -> None:
    """An operation failed on a node; it counts for as long as the rules of the node's pool look back."""
    session.add(
        Failure(
            node_id=node.id,
            kind=kind,
            operation_id=operation_id,
            allocation_id=allocation_id,
            reason=reason,
            at=clock.now(),
        )
    )
    recount(session, node)


def forgive(session: Session, node: Node) -> None:
    """What failed so far counts no longer: somebody mended the node, or it passed."""
    session.execute(
        update(Failure).where(Failure.node_id == node.id, Failure.forgiven.is_(False)).values(forgiven=True)
    )
    recount(session, node)


def recount(session: Session, node: Node) -> None:
    """Bring the number of recent failures up to date, and with it what the node costs the pick."""
    window = _window(_rules(session, node))
    counted = _counted(session, node, window)
    node.recent_failures = len(counted)
    node.failures_until = counted[0].at + timedelta(seconds=window) if counted else None
    set_cost(session, node)
    touch(session, "due")


def recount_due(session: Session) -> None:
    """Recount the nodes whose oldest failure counts no longer."""
    for node in session.scalars(select(Node).where(Node.failures_until <= clock.now()).with_for_update(of=Node)):
        recount(session, node)


def set_aside_if_due(session: Session, node: Node, actor: str, operation_id: str | None) -> None:
    """Set a node aside that nobody holds and that failed as often as a rule allows, with the evidence."""
    if node.state not in _FREE:
        return
    for rule in _rules(session, node):
        rows = [one for one in _counted(session, node, rule["window_seconds"]) if one.kind in rule["kinds"]]
        # A user's own mistake, tried again and again on the same allocation, is one failure of the node.
        cases = {one.allocation_id or one.operation_id for one in rows}
        if len(cases) >= rule["failures"]:
            advance(
                session,
                node,
                "set_aside",
                actor,
                reason=_reason(rule, rows),
                operation_id=operation_id,
                rule=rule,
                evidence=[
                    {"operation": one.operation_id, "kind": one.kind, "at": one.at.isoformat(), "reason": one.reason}
                    for one in rows
                ],
            )
            return


def mark_fixed(session: Session, node: Node, comment: str, actor: str) -> None:
    """A person says that a node that was set aside is good again: its failures are forgiven.

    :raises Conflict: it is not set aside, may hold data, or was never commissioned: then that comes first
    """
    if node.state == "broken" and not node.dirty and session.get(NodeFacts, node.id) is None:
        raise Conflict(
            f"node {node.name} was never commissioned: commission it, which marks it as fixed when it passes",
            field="state",
            value=node.state,
            allowed=["commission"],
        )
    advance(session, node, "mark_fixed", actor, reason=comment)
    node.comment = comment
    forgive(session, node)


def _rules(session: Session, node: Node) -> list[dict[str, Any]]:
    return session.scalar(select(Pool.set_aside).where(Pool.id == node.pool_id)) or []


def _window(rules: Sequence[dict[str, Any]]) -> int:
    return max(int(rule["window_seconds"]) for rule in (*rules, *([] if rules else SET_ASIDE)))


def _counted(session: Session, node: Node, seconds: int) -> Sequence[Failure]:
    since = clock.now() - timedelta(seconds=seconds)
    return session.scalars(
        select(Failure)
        .where(Failure.node_id == node.id, Failure.forgiven.is_(False), Failure.at > since)
        .order_by(Failure.at, Failure.id)
    ).all()


def _reason(rule: dict[str, Any], rows: Sequence[Failure]) -> str:
    times = [f"{one.kind} at {one.at:%Y-%m-%d %H:%M} UTC: {one.reason}" for one in rows]
    return (
        f"{' or '.join(rule['kinds'])} failed for {rule['failures']} or more within {rule['window_seconds']} s "
        f"({'; '.join(times)})"
    )[:4000]
