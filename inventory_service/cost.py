"""What a node is worth, so that the pick takes the cheapest that fits: weights are data."""

from __future__ import annotations

from collections.abc import Mapping

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
"""Points for each thread, GiB, TiB, GPU, and for each recent failure of the node."""


def hardware_cost(cpus: int | None, memory_bytes: int | None, storage_bytes: int | None, gpus: int | None) -> float:
    """The worth of hardware by its weights; of a request it is a lower bound for every node that fits."""
    return (
        WEIGHTS["cpu"] * (cpus or 0)
        + WEIGHTS["memory_gib"] * (memory_bytes or 0) / GIB
        + WEIGHTS["storage_tib"] * (storage_bytes or 0) / TIB
        + WEIGHTS["gpu"] * (gpus or 0)
    )


def set_cost(node: Node) -> None:
    """Bring a node's cost up to date with its columns."""
    node.cost = (
        hardware_cost(node.cpus, node.memory_bytes, node.storage_bytes, node.gpus)
        + WEIGHTS["recent_failure"] * node.recent_failures
    )
