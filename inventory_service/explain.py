"""A reason for every no: what excluded how many nodes, what only just misses, and whether waiting helps.

The nodes are judged in ``verdicts``; here it is put into words. It runs in no writer's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from inventory_service import root_disk
from inventory_service.constraints import EXPRESSION, Constraint
from inventory_service.models import NODE, NODES, Allocation, Node
from inventory_service.pick import CLEAR_ROOT, Request, best
from inventory_service.problems import Conflict, NothingFits
from inventory_service.verdicts import IN_USE, LOCKED, STATE, Near, Verdicts, bit_of, judge


def why_none(
    session: Session, request: Request, needed: int = 1, *, by_expression: ByExpression | None = None, together: Together | None = None
) -> Conflict:
    """The answer to a request that cannot be met now.

    :param needed: how many nodes were asked for
    :param by_expression: what its expression excluded of the nodes that fit otherwise
    :param together: how many nodes there are in one place, where that is asked for
    """
    verdicts = judge(session, request)
    if verdicts.free < needed and request.root_is_unclear():
        undecided = session.scalar(best(request.but_for(CLEAR_ROOT)))
        if undecided is not None:
            node = session.get_one(Node, undecided)
            session.refresh(node, ["disks"])
            return root_disk.refuse(node.name, node.disks)
    excluded = _excluded(request, verdicts)
    free = verdicts.free
    if by_expression is not None:
        free = max(free - by_expression.nodes, 0)
        excluded.append(by_expression.document())
    nearest = _nearest(session, request, verdicts.near)
    held = _held(session, request) if verdicts.in_use else None
    possible = possibility(free, verdicts.in_use, needed)
    if together is not None:
        possible = possibility(together.now, together.ever - together.now, needed)
    detail = [
        f"no node fits: of {verdicts.considered}, " if needed == 1 else f"{needed} nodes are wanted: of {verdicts.considered}, ",
        ", ".join(f"{one['constraint']}={one['value']} excluded {one['nodes']}" for one in excluded) or "none is left",
        f", {free} fit" if needed > 1 else "",
        f"; of one {together.place} at most {together.now} fit now, and {together.ever} at best" if together else "",
        *(f"; {one['text']}" for one in nearest[:1]),
        f"; {held['text']}" if held else "",
        f"; {_ADVICE[possible]}",
    ]
    return NothingFits(
        "".join(detail),
        considered=verdicts.considered,
        fitting=free,
        excluded=excluded,
        nearest=nearest,
        held=held,
        possible=possible,
    )


@dataclass(frozen=True)
class Together:
    """How many of the nodes that fit are at most in one place: free now, and once others have released theirs."""

    place: str
    now: int
    ever: int


@dataclass(frozen=True)
class ByExpression:
    """How many nodes an expression excluded that fitted otherwise; where it failed on one, with what."""

    value: str
    nodes: int
    error: str | None

    def document(self) -> dict[str, Any]:
        """As ``excluded`` lists it."""
        said = {"constraint": EXPRESSION, "value": self.value, "nodes": self.nodes, "only": self.nodes}
        return said | ({"error": self.error} if self.error else {})


_ADVICE = {
    "now": "ask again",
    "later": "ask for less, or wait until others release theirs",
    "never": "no node of this pool could ever fit as it is: ask for less",
}


def possibility(free: int, in_use: int, needed: int = 1) -> str:
    """Whether a request could be met: ``now``, ``later`` (when others release theirs), or ``never`` by these nodes."""
    if free >= needed:
        return "now"
    return "later" if free + in_use >= needed else "never"


def _excluded(request: Request, verdicts: Verdicts) -> list[dict[str, Any]]:
    named = [("state", "ready", STATE), ("locked", "false", LOCKED)]
    named += [(one.name, one.value, bit_of(index)) for index, one in enumerate(request.constraints)]
    return [
        {"constraint": name, "value": value, "nodes": nodes, "only": verdicts.failing_only(bit)}
        for name, value, bit in named
        if (nodes := verdicts.failing(bit))
    ]


def _nearest(session: Session, request: Request, near: Sequence[Near]) -> list[dict[str, Any]]:
    amounts = {one.quantity.column.key: one.quantity.column for one in request.constraints if one.quantity is not None}
    known = select(NODE.id, NODE.name, NODE.state, *amounts.values()).where(NODE.id.in_([one.id for one in near]))
    nodes = {node.id: node for node in session.execute(known)}
    found = []
    for miss in near:
        node = nodes[miss.id]
        lacks = [_lack(node, one) for index, one in enumerate(request.constraints) if miss.bits & bit_of(index)]
        words = " and ".join(one["text"] for one in lacks)
        state = "" if node.state == "ready" else f" ({node.state})"
        found.append({"node": node.name, "state": node.state, "missing": lacks, "text": f"node {node.name}{state} fits but for {words}"})
    return found


def _lack(node: Row[Any], one: Constraint) -> dict[str, Any]:
    text = f"{one.name}={one.value}"
    has = None
    if one.quantity is not None:
        has = getattr(node, one.quantity.column.key)
        least, most = one.quantity.least, one.quantity.most
        if least is not None and (has or 0) < least:
            text = one.quantity.say(least - (has or 0))
        elif has is not None and most is not None:
            text = f"{one.quantity.say(has - most)} too much"
    return {"constraint": one.name, "value": one.value, "has": has, "text": text}


def _held(session: Session, request: Request) -> dict[str, Any]:
    """Who keeps the nodes that fit, and until when at the latest."""
    total, ending, last = session.execute(
        select(func.count(), func.count(Allocation.expires_at), func.max(Allocation.expires_at))
        .select_from(NODES)
        .outerjoin(Allocation, (Allocation.node_id == NODE.id) & (Allocation.state != "released"))
        .where(IN_USE, NODE.locked.is_(False), *request.conditions)
    ).one()
    return {"nodes": total, "until": last if ending == total else None, "text": _held_text(total, ending, last)}


def _held_text(total: int, ending: int, last: datetime | None) -> str:
    are = "1 fits and is" if total == 1 else f"{total} fit and are"
    if last is None:
        return f"{are} in use, without an end"
    until = f"{last:%Y-%m-%d %H:%M} UTC at the latest"
    return f"{are} held until {until}" if ending == total else f"{are} in use, {ending} of them until {until}"
