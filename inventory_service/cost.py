"""What a node is worth, so that the pick takes the cheapest that fits: weights are data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.orm import Session

from inventory_service.config import SettingsError
from inventory_service.db import Database
from inventory_service.models import Node

GIB = 1 << 30
TIB = 1 << 40

WEIGHTS: Mapping[str, float] = {
    "cpu": 1.0,
    "memory_gib": 0.25,
    "storage_tib": 2.0,
    "gpu": 64.0,
    "recent_failure": 1000.0,
}
"""Points for each thread, GiB, TiB, GPU, and for each recent failure of the node; settings may say otherwise."""

_WEIGHTS = "cost weights"


def set_weights(database: Database, changed: Mapping[str, float]) -> None:
    """Weigh by these, and bring the cost of all nodes up to date; those that are not named stay as they are above.

    :raises SettingsError: no such weight, or below 0
    """
    for name, weight in changed.items():
        if name not in WEIGHTS or not 0 <= weight < 1e9:
            raise SettingsError(f"cost_weights: {name} = {weight}; allowed: {', '.join(WEIGHTS)}, each from 0 to 1e9")
    weights = {**WEIGHTS, **changed}
    database.session_info[_WEIGHTS] = weights
    now = cost_parts(Node.cpus, Node.memory_bytes, Node.storage_bytes, Node.gpus, Node.recent_failures, weights)
    cost: ColumnElement[Any] = reduce(add, now.values())
    with database.write() as session:
        stale = func.abs(Node.cost - cost) > 1e-6 * (1 + func.abs(cost))
        session.execute(update(Node).where(stale).values(cost=cost).execution_options(synchronize_session=False))


def weights_of(session: Session) -> Mapping[str, float]:
    """The weights in force."""
    weights: Mapping[str, float] = session.info.get(_WEIGHTS, WEIGHTS)
    return weights


def cost_parts(
    cpus: Any, memory_bytes: Any, storage_bytes: Any, gpus: Any, recent_failures: Any, weights: Mapping[str, float]
) -> dict[str, Any]:
    """What each kind of hardware adds to the cost, and what recent failures add: numbers, or columns as SQL."""
    amounts = {
        "cpu": (cpus, 1),
        "memory_gib": (memory_bytes, GIB),
        "storage_tib": (storage_bytes, TIB),
        "gpu": (gpus, 1),
        "recent_failure": (recent_failures, 1),
    }
    return {name: weights[name] / unit * _known(amount) for name, (amount, unit) in amounts.items()}


def _known(amount: Any) -> Any:
    return amount or 0 if amount is None or isinstance(amount, int) else func.coalesce(amount, 0)


def hardware_cost(
    cpus: int | None,
    memory_bytes: int | None,
    storage_bytes: int | None,
    gpus: int | None,
    weights: Mapping[str, float] | None = None,
) -> float:
    """The worth of hardware by its weights; of a request it is a lower bound for every node that fits."""
    return sum(cost_parts(cpus, memory_bytes, storage_bytes, gpus, 0, weights or WEIGHTS).values(), start=0.0)


def set_cost(session: Session, node: Node) -> None:
    """Bring a node's cost up to date with its columns."""
    amounts = (node.cpus, node.memory_bytes, node.storage_bytes, node.gpus, node.recent_failures)
    node.cost = sum(cost_parts(*amounts, weights_of(session)).values(), start=0.0)
