"""A pool in which everything is held by somebody else, and how it becomes free again."""

from __future__ import annotations

from typing import Any

from tests.service.world import Work, World


def full(world: World, *names: str, **hardware: Any) -> World:
    """Nodes that bob holds, each by an allocation of the node's name."""
    for name in names:
        world.ready_node(name, **hardware)
        world.acquire(f"bob-{name}", image=None, deploy=False, constraints={"node": name}, token=world.other)
    return world


def free(world: World, *nodes: str) -> None:
    """Whoever holds these nodes gives them back, and they are erased."""
    for node in nodes:
        world.ask("DELETE", f"/allocations/{world.get(f'/nodes/{node}')['allocation']}")
        Work(world, node).release()
        world.settle()


def line(world: World) -> dict[str, int]:
    """Who waits, and at which place."""
    return {one["name"]: one["place"] for one in world.get("/allocations?state=waiting")["items"]}
