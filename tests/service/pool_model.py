"""A plain model of the pool: what the service promises, in the fewest words, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field

READY, HELD, RELEASING, STUCK = "ready", "allocated", "releasing", "failed_releasing"


@dataclass
class ModelNode:
    """A node; ``order`` is that of its making, ``used`` the moment when it was taken last."""

    name: str
    cpus: int
    order: int
    state: str = READY
    used: float = float("-inf")


@dataclass
class ModelAllocation:
    """What somebody holds; ``node`` says what."""

    name: str
    user: str
    node: ModelNode
    state: str = "allocated"


@dataclass
class Model:
    """Nodes and who holds them. Every method says what the service has to do as well."""

    nodes: list[ModelNode] = field(default_factory=list)
    held: dict[str, ModelAllocation] = field(default_factory=dict)
    taken: int = 0
    """How often a node was given to somebody."""

    def best(self, cpus: int) -> ModelNode | None:
        """The free node that fits and wastes least, then the one that was used longest ago."""
        free = [node for node in self.nodes if node.state == READY and node.cpus >= cpus]
        return min(free, key=lambda node: (node.cpus, node.used, node.order), default=None)

    def take(self, name: str, user: str, node: ModelNode, now: float) -> ModelAllocation:
        node.state, node.used = HELD, now
        self.taken += 1
        self.held[name] = ModelAllocation(name, user, node)
        return self.held[name]

    def release(self, name: str) -> None:
        one = self.held[name]
        one.state = one.node.state = RELEASING

    def release_ends(self, name: str, *, succeeded: bool) -> None:
        one = self.held[name]
        if succeeded:
            one.node.state = READY
            del self.held[name]
        else:
            one.state, one.node.state = "failed", STUCK

    def by_state(self, *states: str) -> list[str]:
        return [name for name, one in self.held.items() if one.state in states]
