"""A plain model of the pool: what the service promises, in the fewest words, without a database.

Moments are seconds of the service's clock. Every method does what the service has to do, with all that follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from tests.service.pool_model_nodes import BROKEN, HELD, READY, RELEASING, STUCK, ModelNode, ModelPool

FAILED = "failed"
OK, QUOTA, NOTHING, LEASE = "ok", "quota-used-up", "nothing-fits", "invalid"
"""How a request is answered."""
EVENTS = ("node.allocated", *(f"allocation.{what}" for what in ("waiting", "wait-ended", "expiring", "expired", "extended")))
"""Those that are counted."""


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: a node of these pools with so many CPUs, for so long."""

    user: str
    cpus: int
    pools: tuple[str, ...]
    lease: int | None = None


@dataclass
class ModelAllocation:
    """What somebody holds. A lease ends at ``end``; ``due`` is the next moment at which something is due about it."""

    name: str
    wish: Wish
    node: ModelNode
    since: float
    end: float | None
    due: float | None = None
    state: str = HELD
    noticed: bool = False
    expired: bool = False

    @property
    def user(self) -> str:
        return self.wish.user


@dataclass
class ModelWaiting:
    """Who stands in line, until ``until``: for one node, or for as many as there are names, whose first stands there for all."""

    names: list[str]
    wish: Wish
    until: float | None

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True)
class Limit:
    """How much somebody may hold of a pool."""

    nodes: int | None
    cpus: int | None


@dataclass
class Model:
    """Nodes, who holds them, and who waits; ``line`` is in the order in which they joined."""

    pools: dict[str, ModelPool]
    nodes: list[ModelNode]
    now: float = 0.0
    held: dict[str, ModelAllocation] = field(default_factory=dict)
    line: list[ModelWaiting] = field(default_factory=list)
    limits: dict[tuple[str, str | None], Limit] = field(default_factory=dict)
    """By pool and user; without a user it is everybody's who has no other."""
    events: Counter[str] = field(default_factory=Counter)

    # Who gets what

    def best(self, wish: Wish, count: int = 1) -> list[ModelNode]:
        """Free nodes for a wish: the cheapest first, then the one that was used longest ago."""
        free = [node for node in self.nodes if node.state == READY and self.fits(wish, node) and self._room(wish, node, count)]
        return sorted(free, key=lambda node: (node.cost, node.used, node.order))

    def fits(self, wish: Wish, node: ModelNode) -> bool:
        return self._is(wish, node) and self.pools[node.pool].allows(wish.lease)

    def _is(self, wish: Wish, node: ModelNode) -> bool:
        return node.pool in wish.pools and node.cpus >= wish.cpus

    def _room(self, wish: Wish, node: ModelNode, count: int = 1, *, alone: bool = False) -> bool:
        return self._within(wish.user, node.pool, count, node.cpus, alone=alone)

    def _within(self, user: str, pool: str, nodes: int, cpus: int, *, alone: bool = False) -> bool:
        """Whether the quota allows so much more; ``alone``: if the user held nothing."""
        limit = self.limits.get((pool, user), self.limits.get((pool, None), Limit(None, None)))
        theirs = [one.node.cpus for one in self.held.values() if (one.user, one.node.pool) == (user, pool) and not alone]
        in_nodes = limit.nodes is None or len(theirs) + nodes <= limit.nodes
        return in_nodes and (limit.cpus is None or sum(theirs) + cpus <= limit.cpus)

    def refusal(self, wish: Wish, count: int = 1) -> str:
        """Why a wish gets nothing."""
        if not any(self.fits(wish, node) for node in self.nodes) and any(self._is(wish, node) for node in self.nodes):
            return LEASE
        ever = sum(self.fits(wish, node) for node in self.nodes)
        if count > 1 and ever >= count > self._most_ever(wish, count):
            return QUOTA
        free = [node for node in self.nodes if node.state == READY and self.fits(wish, node)]
        has_quotas = any(user in (wish.user, None) for _pool, user in self.limits)
        return QUOTA if has_quotas and len(free) >= count else NOTHING

    # What users do

    def acquire(self, name: str, wish: Wish) -> str:
        """A node now, or the reason why not."""
        found = self.best(wish)
        if not found:
            return self.refusal(wish)
        self._take(name, wish, found[0])
        return OK

    def acquire_set(self, names: list[str], wish: Wish) -> str:
        """All of them, or none."""
        found = self.best(wish, len(names))[: len(names)]
        if len(found) < len(names):
            return self.refusal(wish, len(names))
        if not self._may_have(wish, found):
            return QUOTA
        for name, node in zip(names, found, strict=True):
            self._take(name, wish, node)
        return OK

    def _may_have(self, wish: Wish, nodes: list[ModelNode]) -> bool:
        """Whether the quotas allow these nodes together."""
        by_pool = {pool: [node.cpus for node in nodes if node.pool == pool] for pool in self.pools}
        return all(self._within(wish.user, pool, len(cpus), sum(cpus)) for pool, cpus in by_pool.items() if cpus)

    def join(self, names: list[str], wish: Wish, wait: int | None) -> str | None:
        """Nodes now, else a place in line (None), else the reason why there could never be so many."""
        answer = self.acquire(names[0], wish) if len(names) == 1 else self.acquire_set(names, wish)
        if answer == OK or self._most_ever(wish, len(names)) < len(names):
            return answer
        self.line.append(ModelWaiting(names, wish, None if wait is None else self.now + wait))
        self.events["allocation.waiting"] += 1
        return None

    def _most_ever(self, wish: Wish, count: int) -> int:
        """How many nodes a wish could have at once, if all were free and the user held nothing."""
        total = 0
        for pool in self.pools:
            nodes = [node for node in self.nodes if node.pool == pool and self.fits(wish, node)]
            sizes = sorted(node.cpus for node in nodes if self._room(wish, node, count, alone=True))
            total += sum(self._within(wish.user, pool, 0, cpus, alone=True) for cpus in accumulate(sizes))
        return total

    def _take(self, name: str, wish: Wish, node: ModelNode) -> None:
        node.state, node.used = HELD, self.now
        self.events["node.allocated"] += 1
        end = None if wish.lease is None else self.now + wish.lease
        self.held[name] = one = ModelAllocation(name, wish, node, self.now, end)
        if end is not None:
            one.due = self.moments(one)[0]

    def cancel(self, name: str) -> None:
        self.line = [one for one in self.line if one.name != name]
        self.events["allocation.wait-ended"] += 1

    def release(self, name: str) -> None:
        one = self.held[name]
        one.state = one.node.state = RELEASING

    def extend(self, name: str, seconds: int) -> int:
        """The status of the answer."""
        one = self.held[name]
        if one.state == RELEASING or one.end is None:
            return 409
        end, pool = self.now + seconds, self.pools[one.node.pool]
        latest = min(self.now + pool.lease_max, one.since + pool.lease_total)
        if not one.end < end <= latest:
            return 422
        one.end, one.due, one.noticed, one.expired = end, self.now, False, False
        self.events["allocation.extended"] += 1
        return 200

    # What workers and operators do

    def release_ends(self, name: str, *, succeeded: bool) -> None:
        one, node = self.held[name], self.held[name].node
        if not succeeded:
            one.state, node.state = FAILED, STUCK
            node.fails(self.now, name)
            return
        del self.held[name]
        node.state = BROKEN if node.fails_too_often(self.now) else READY
        self._serve(node, {one.user})

    def set_aside(self, node: ModelNode) -> None:
        """A node whose release failed is nobody's then."""
        node.state = BROKEN
        for one in [one for one in self.held.values() if one.node is node]:
            del self.held[one.name]
            self._serve(None, {one.user})

    def mark_fixed(self, node: ModelNode) -> None:
        node.state = READY
        node.is_mended()
        self._serve(node)

    def set_limit(self, pool: str, user: str | None, limit: Limit | None) -> None:
        if limit is None:
            self.limits.pop((pool, user), None)
        else:
            self.limits[pool, user] = limit
        self._serve(None, {one.wish.user for one in self.line} if user is None else {user})

    # What happens by itself

    def _serve(self, node: ModelNode | None, users: Collection[str] = ()) -> None:
        """The first in line whom a node fits that became free gets it; users who got more room choose among all."""
        for one in list(self.line):
            count = len(one.names)
            found = self.best(one.wish, count)
            if one.wish.user not in users and node not in found:
                continue
            chosen = [node] if count == 1 and one.wish.user not in users and node is not None else found[:count]
            if len(chosen) == count and self._may_have(one.wish, chosen):
                self._from_line(one, chosen)

    def _from_line(self, one: ModelWaiting, nodes: list[ModelNode]) -> None:
        self.line.remove(one)
        for name, node in zip(one.names, nodes, strict=True):
            self._take(name, one.wish, node)

    def keep_time(self) -> None:
        """Everything that is due at this moment."""
        for waiting in [one for one in self.line if one.until is not None and one.until <= self.now]:
            self.cancel(waiting.name)
        for one in self.held.values():
            if one.due is not None and one.due <= self.now:
                self._lease_due(one)
        for node in self.nodes:
            node.forgets(self.now)

    def _lease_due(self, one: ModelAllocation) -> None:
        one.due = None
        if one.state == RELEASING or one.end is None:
            return
        notice, _end, release = moments = self.moments(one)
        if notice <= self.now < one.end and not one.noticed:
            one.noticed = True
            self.events["allocation.expiring"] += 1
        if one.end <= self.now and not one.expired:
            one.expired = True
            self.events["allocation.expired"] += 1
        one.due = min((moment for moment in moments if moment > self.now), default=None)
        if release <= self.now:
            self.release(one.name)

    def moments(self, one: ModelAllocation) -> tuple[float, ...]:
        """When the end of a lease is announced, when it ends, and when its node is given back; nothing without a lease."""
        if one.end is None:
            return ()
        pool = self.pools[one.node.pool]
        return one.end - min(pool.notice, (one.end - one.since) / 2), one.end, one.end + pool.grace

    # What is true of it

    def by_state(self, *states: str) -> list[str]:
        return [name for name, one in self.held.items() if one.state in states]

    def nodes_by_state(self, *states: str) -> list[ModelNode]:
        return [node for node in self.nodes if node.state in states]

    def waits_in_vain(self) -> Iterator[str]:
        """Who stands in line beside free nodes that would do: nobody ever may, but for a set for which another choice of
        nodes became better by a node that went, and is within a quota: that is found by the next look at the whole line."""
        for one in self.line:
            found = self.best(one.wish, len(one.names))[: len(one.names)]
            limited = len(one.names) > 1 and any(user in (one.wish.user, None) for _pool, user in self.limits)
            if len(found) == len(one.names) and not limited:
                yield one.name
