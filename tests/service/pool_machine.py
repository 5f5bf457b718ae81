"""Users, workers, operators and the clock do whatever they can in any order; the service has to do what the model does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, func, select, update

from inventory_service.cost import set_cost
from inventory_service.durations import say_duration
from inventory_service.models import Allocation, Event, Node, NodeFacts, Pool, Quota
from inventory_service.node_records import add_node
from inventory_service.operations.outcome import conclude
from inventory_service.queue_orders import places
from tests.service.pool_model import EVENTS, FAILED, LEASE, OK, Limit, Model, Wish
from tests.service.pool_model_nodes import BROKEN, HELD, READY, RELEASING, STUCK, ModelNode, ModelPool
from tests.service.world import Work, World

HOUR = 3600
POOLS = {
    "open": ModelPool(lease_required=False, lease_max=8 * HOUR, lease_total=12 * HOUR, notice=1800, grace=600),
    "strict": ModelPool(lease_required=True, lease_max=HOUR, lease_total=2 * HOUR, notice=60, grace=0),
}
NODES = (("open", 2), ("open", 2), ("strict", 2), ("open", 4), ("strict", 4), ("open", 8))
"""Pool and CPUs: some alike, some bigger."""
USERS = ("alice", "bob")

some = st.integers(0, 99)
users = st.sampled_from(USERS)
wishes = st.builds(
    Wish,
    user=users,
    cpus=st.sampled_from((1, 1, 1, 2, 2, 3, 4, 8, 16)),
    pools=st.sampled_from((("open", "strict"), ("open", "strict"), ("open",), ("strict",))),
    lease=st.sampled_from((600, 600, HOUR, HOUR, None, None, 8 * HOUR, 9 * HOUR)),
)
crowds = st.lists(wishes, min_size=1, max_size=4)
limits = st.builds(Limit, nodes=st.sampled_from((None, 0, 1, 1, 2, 3)), cpus=st.sampled_from((None, None, 2, 4, 7, 8)))


class Time:
    """The service's clock: it stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Answered:
    """A request that got a node or a place in line."""

    user: str
    key: str
    body: dict[str, Any]
    status: int
    document: Any
    at: datetime


class PoolMachine(RuleBasedStateMachine):
    """One run works in pools of its own, so that runs share a service."""

    def __init__(self, world: World, time: Time, number: int) -> None:
        super().__init__()
        self.world, self.time, self.prefix = world, time, f"p{number}-"
        self.tokens = {"alice": world.user, "bob": world.other}
        self.names = (f"{self.prefix}a{count}" for count in itertools.count(1))
        self.answered: list[Answered] = []
        now = time.moment.timestamp()
        nodes = [ModelNode(f"{self.prefix}n{order}", pool, cpus, order, now) for order, (pool, cpus) in enumerate(NODES)]
        self.model = Model(POOLS, nodes, now)
        for name, pool in POOLS.items():
            world.ask("PUT", f"/pools/{self.prefix}{name}", pool.policy())
        with world.services.database.write() as session:
            for node in nodes:
                mac = {"mac": f"52:54:{number >> 8:02x}:{number & 255:02x}:00:{node.order:02x}"}
                values = {"name": node.name, "pool": self.prefix + node.pool, "arch": "amd64", "interfaces": [mac]}
                row = add_node(session, world.settings, world.services.vault, values, "test")
                row.cpus = node.cpus
                set_cost(session, row)
                session.flush()
                session.add(NodeFacts(node_id=row.id, document={}, at=time.moment))
                session.execute(update(Node).where(Node.id == row.id).values(state=READY))

    def teardown(self) -> None:
        """Nothing of this run is left to the next one."""
        with self.world.services.database.write() as session:
            over = {"state": "released", "due_at": None}
            session.execute(update(Allocation).where(Allocation.name.startswith(self.prefix)).values(over))
            pools = select(Pool.id).where(Pool.name.startswith(self.prefix))
            session.execute(delete(Quota).where(Quota.pool_id.in_(pools)))
            gone = {"state": "retired", "failures_until": None}
            session.execute(update(Node).where(Node.name.startswith(self.prefix)).values(gone))

    # What users do

    def _post(self, user: str, body: dict[str, Any], key: str, path: str = "/allocations") -> Any:
        return self.world.call("POST", path, body, token=self.tokens[user], headers={"Idempotency-Key": key})

    def _body(self, name: str, wish: Wish) -> dict[str, Any]:
        body = {
            "name": name,
            "deploy": False,
            "constraints": {"cpus": wish.cpus, "pool": [self.prefix + pool for pool in wish.pools]},
        }
        return body if wish.lease is None else body | {"lease": say_duration(timedelta(seconds=wish.lease))}

    def _refused(self, answer: Any, why: str) -> None:
        assert answer.status_code == (422 if why == LEASE else 409), answer.text
        document = answer.get_json()
        assert document["type"] == why, answer.text
        assert why != LEASE or document["field"] == "lease"

    def _note(self, wish: Wish, key: str, body: dict[str, Any], answer: Any) -> Any:
        document = answer.get_json()
        self.answered.append(Answered(wish.user, key, body, answer.status_code, document, self.time.moment))
        return document

    @initialize(left=st.integers(0, 2), user=users)
    def begin(self, left: int, user: str) -> None:
        """Most nodes are held already, so that those who come have to wait."""
        for lease in (HOUR, None, 600, HOUR, 8 * HOUR, HOUR)[left:]:
            self._acquire(Wish(user, 1, tuple(POOLS), lease))

    @rule(crowd=crowds, wait=st.sampled_from((0, None, None, None, 600, HOUR)))
    def ask(self, crowd: list[Wish], wait: int | None) -> None:
        """For nodes now (0), or for places in line, for ever (None) or for so many seconds."""
        for wish in crowd:
            if wait == 0:
                self._acquire(wish)
            else:
                self._join(wish, wait)

    def _acquire(self, wish: Wish) -> None:
        name = next(self.names)
        body = self._body(name, wish)
        answer = self._post(wish.user, body, f"key-{name}")
        expected = self.model.acquire(name, wish)
        if expected != OK:
            self._refused(answer, expected)
            return
        assert answer.status_code == 201, answer.text
        document = self._note(wish, f"key-{name}", body, answer)
        assert (document["name"], document["node"], document["user"]) == (name, self.model.held[name].node.name, wish.user)

    @rule(crowd=crowds, wait=st.sampled_from((None, None, HOUR)))
    def stand_in_line(self, crowd: list[Wish], wait: int | None) -> None:
        self.ask(crowd, wait)

    @rule(crowd=crowds, which=st.lists(some, min_size=1, max_size=4))
    def come_and_go(self, crowd: list[Wish], which: list[int]) -> None:
        """Some stand in line, others give nodes back."""
        self.ask(crowd, None)
        self._give_back(which)

    def _join(self, wish: Wish, wait: int | None) -> None:
        name = next(self.names)
        body = self._body(name, wish) | {"wait": True}
        if wait is not None:
            body["wait_timeout"] = say_duration(timedelta(seconds=wait))
        answer = self._post(wish.user, body, f"key-{name}")
        expected = self.model.join([name], wish, wait)
        if expected not in (OK, None):
            self._refused(answer, expected)
            return
        assert answer.status_code == (201 if expected == OK else 202), answer.text
        document = self._note(wish, f"key-{name}", body, answer)
        if expected == OK:
            assert document["node"] == self.model.held[name].node.name
        else:
            assert (document["state"], document["place"]) == ("waiting", len(self.model.line))

    @rule(wish=wishes, count=st.sampled_from((2, 2, 3)), wait=st.sampled_from((0, None, None, HOUR)))
    def acquire_a_set(self, wish: Wish, count: int, wait: int | None) -> None:
        """For nodes now (0), or for a place in line, for ever (None) or for so many seconds."""
        name = next(self.names)
        body = self._body(name, wish) | {"count": count, "wait": wait != 0}
        if wait:
            body["wait_timeout"] = say_duration(timedelta(seconds=wait))
        answer = self._post(wish.user, body, f"key-{name}", "/allocation-sets")
        names = [f"{name}-{number}" for number in range(1, count + 1)]
        expected = self.model.acquire_set(names, wish) if wait == 0 else self.model.join(names, wish, wait)
        if expected not in (OK, None):
            self._refused(answer, expected)
            return
        assert answer.status_code == (201 if expected == OK else 202), answer.text
        document = answer.get_json()
        if expected is None:
            assert [(one["name"], one["node"]) for one in document["items"]] == [(names[0], None)]
            assert document["place"] == len(self.model.line)
            return
        assert [(one["name"], one["node"]) for one in document["items"]] == [
            (one, self.model.held[one].node.name) for one in names
        ]

    def _kept(self) -> list[Answered]:
        """The answers that the service still has to know."""
        oldest = self.time.moment - timedelta(seconds=self.world.settings.idempotency_seconds)
        return [one for one in self.answered if one.at > oldest]

    @precondition(lambda self: self._kept())
    @rule(which=some)
    def ask_the_same_again(self, which: int) -> None:
        """The answer was lost: whatever happened since, the same key gets the same answer, and no second node."""
        before = self._kept()[which % len(self._kept())]
        answer = self._post(before.user, before.body, before.key)
        assert (answer.status_code, answer.get_json()) == (before.status, before.document)
        assert self._post(before.user, before.body | {"hostname": "other"}, before.key).status_code == 422

    @precondition(lambda self: self.model.held or self.model.line)
    @rule(which=some, user=users)
    def ask_by_a_name_that_is_taken(self, which: int, user: str) -> None:
        taken = {one.name: one.user for one in self.model.held.values()} | {one.name: one.wish.user for one in self.model.line}
        name = list(taken)[which % len(taken)]
        answer = self.world.call("POST", "/allocations", {"name": name, "deploy": False}, token=self.tokens[user])
        expected = 200 if user == taken[name] and name not in self.model.by_state(RELEASING) else 409
        assert answer.status_code == expected, answer.text
        if user != taken[name]:
            self.world.ask("DELETE", f"/allocations/{name}", token=self.tokens[user], expect=404)

    @precondition(lambda self: self.model.held)
    @rule(which=some)
    def release(self, which: int) -> None:
        self._release(list(self.model.held)[which % len(self.model.held)])

    def _release(self, name: str) -> None:
        token = self.tokens[self.model.held[name].user]
        self.world.ask("DELETE", f"/allocations/{name}", token=token, expect=202)
        self.model.release(name)

    @precondition(lambda self: self.model.line)
    @rule(which=some)
    def cancel(self, which: int) -> None:
        one = self.model.line[which % len(self.model.line)]
        self.world.ask("DELETE", f"/allocations/{one.name}", token=self.tokens[one.wish.user], expect=204)
        self.model.cancel(one.name)

    @precondition(lambda self: self.model.held)
    @rule(which=some, seconds=st.sampled_from((600, HOUR, 8 * HOUR)))
    def extend(self, which: int, seconds: int) -> None:
        one = list(self.model.held.values())[which % len(self.model.held)]
        expected = self.model.extend(one.name, seconds)
        body = {"lease": say_duration(timedelta(seconds=seconds))}
        self.world.post(f"/allocations/{one.name}/extend", body, token=self.tokens[one.user], expect=expected)
        self._keep_time()

    # What workers and operators do

    @precondition(lambda self: self.model.by_state(RELEASING))
    @rule(which=some, succeeded=st.sampled_from((True, True, False)))
    def a_release_ends(self, which: int, succeeded: bool) -> None:
        names = self.model.by_state(RELEASING)
        self._end_release(names[which % len(names)], succeeded=succeeded)

    def _end_release(self, name: str, *, succeeded: bool) -> None:
        work = Work(self.world, self.model.held[name].node.name)
        with self.world.services.database.write() as session:
            conclude(session, work.id, "succeeded" if succeeded else "failed", "so the test says")
        self.model.release_ends(name, succeeded=succeeded)

    @precondition(lambda self: self.model.by_state(HELD, FAILED))
    @rule(which=st.lists(some, min_size=1, max_size=4))
    def use_and_give_back(self, which: list[int]) -> None:
        """What nodes are for; it makes those that were used longest ago differ from those that were made first."""
        self._give_back(which)

    def _give_back(self, which: list[int]) -> None:
        for number in which:
            names = self.model.by_state(HELD, FAILED)
            if names:
                self._release(names[number % len(names)])
                self._end_release(names[number % len(names)], succeeded=True)

    @precondition(lambda self: self.model.nodes_by_state(STUCK, READY))
    @rule(which=some)
    def set_aside(self, which: int) -> None:
        nodes = self.model.nodes_by_state(STUCK) or self.model.nodes_by_state(READY)
        self._change_state(nodes[which % len(nodes)], "set_aside")

    @precondition(lambda self: self.model.nodes_by_state(BROKEN))
    @rule(which=some)
    def mark_fixed(self, which: int) -> None:
        nodes = self.model.nodes_by_state(BROKEN)
        self._change_state(nodes[which % len(nodes)], "mark_fixed")

    def _change_state(self, node: ModelNode, verb: str) -> None:
        self.world.post(f"/nodes/{node.name}/state", {"verb": verb, "comment": "so the test says"})
        getattr(self.model, verb)(node)

    @rule(pool=st.sampled_from(tuple(POOLS)), user=st.sampled_from((*USERS, None)), limit=limits)
    def set_a_quota(self, pool: str, user: str | None, limit: Limit) -> None:
        self.world.ask("PUT", self._quota(pool, user), {"nodes": limit.nodes, "cpus": limit.cpus})
        self.model.set_limit(pool, user, limit)

    @precondition(lambda self: self.model.limits)
    @rule(which=some)
    def delete_a_quota(self, which: int) -> None:
        pool, user = list(self.model.limits)[which % len(self.model.limits)]
        self.world.ask("DELETE", self._quota(pool, user), expect=204)
        self.model.set_limit(pool, user, None)

    def _quota(self, pool: str, user: str | None) -> str:
        return f"/quotas/{self.prefix}{pool}" + (f"/{user}" if user else "")

    # What the clock does

    @rule(
        seconds=st.sampled_from((1, 60, 600, 1800, HOUR, 8 * HOUR, 86400, -60, -HOUR)),
        which=st.none() | some | some,
        besides=st.sampled_from((-1, 0)),
    )
    def the_clock_moves(self, seconds: int, which: int | None, besides: int) -> None:
        """By so much, also back, as clocks that are corrected do; or to what is due about a lease, or just before."""
        moments = sorted(moment for one in self.model.held.values() if one.due for moment in self.model.moments(one))
        if which is not None and moments:
            seconds = int(moments[which % len(moments)] - self.model.now) + besides
        self.time.moment += timedelta(seconds=seconds)
        self.model.now = self.time.moment.timestamp()
        self._keep_time()

    def _keep_time(self) -> None:
        self.world.keep_time()
        self.model.keep_time()
        self.answered = self._kept()

    # What is always true

    @invariant()
    def the_service_is_as_the_model(self) -> None:
        with self.world.services.database.read() as session:
            nodes = session.execute(select(Node.name, Node.state, Node.recent_failures).where(Node.name.startswith(self.prefix)))
            assert {tuple(one) for one in nodes} == {(one.name, one.state, one.recent) for one in self.model.nodes}
            rows = session.execute(
                select(Allocation.name, Allocation.node_name, Allocation.state, Allocation.expires_at, Allocation.id)
                .where(Allocation.name.startswith(self.prefix), Allocation.state != "released")
            ).all()
            place = places(session, [row.id for row in rows])
            events = dict(
                session.execute(
                    select(Event.kind, func.count()).where(Event.allocation.startswith(self.prefix)).group_by(Event.kind)
                ).all()
            )
        held = {(one.name, one.node_name, one.state, one.expires_at) for one in rows if one.id not in place}
        assert held == {
            (one.name, one.node.name, one.state, None if one.end is None else datetime.fromtimestamp(one.end, UTC))
            for one in self.model.held.values()
        }
        assert len({node for _name, node, _state, _end in held}) == len(held), "a node in two hands"
        line = sorted((place[row.id], row.name) for row in rows if row.id in place)
        assert line == list(enumerate((one.name for one in self.model.line), 1))
        assert {kind: events.get(kind, 0) for kind in EVENTS} == {kind: self.model.events[kind] for kind in EVENTS}
        assert not list(self.model.waits_in_vain())
