"""Hypothesis lets users, workers and time do whatever they can in any order, and compares the service with a plain model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from inventory_service import clock
from inventory_service.cost import set_cost
from inventory_service.models import Allocation, Event, Node, Pool
from inventory_service.node_records import add_node
from inventory_service.operations.outcome import conclude
from inventory_service.places import ensure_pool
from tests.service.pool_model import HELD, RELEASING, Model, ModelNode
from tests.service.world import World

SIZES = (2, 2, 2, 4, 4, 8)
"""CPUs of the nodes: some alike, some bigger."""
USERS = ("alice", "bob")
users = st.sampled_from(USERS)
cpus = st.sampled_from((1, 2, 3, 4, 8, 16))
some = st.integers(0, 99)


class Time:
    """The service's clock: it stands still until it is told to go on."""

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def go_on(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answered:
    """A request that was answered with a node."""

    user: str
    key: str
    body: dict[str, Any]
    document: Any
    at: datetime


class PoolMachine(RuleBasedStateMachine):
    """One run works in a pool of its own, so that runs share a service."""

    def __init__(self, world: World, time: Time, number: int) -> None:
        super().__init__()
        self.world, self.time, self.pool = world, time, f"pool{number}"
        self.model = Model()
        self.tokens = {"alice": world.user, "bob": world.other}
        self.names = (f"p{number}-a{count}" for count in itertools.count(1))
        self.answered: list[Answered] = []
        with world.services.database.write() as session:
            ensure_pool(session, self.pool)
            for order, size in enumerate(SIZES):
                name = f"p{number}-n{order}"
                mac = {"mac": f"52:54:{number >> 8:02x}:{number & 255:02x}:00:{order:02x}"}
                values = {"name": name, "pool": self.pool, "arch": "amd64", "interfaces": [mac]}
                node = add_node(session, world.settings, world.services.vault, values, "test")
                node.cpus = size
                set_cost(session, node)
                session.flush()
                session.execute(update(Node).where(Node.id == node.id).values(state="ready"))
                self.model.nodes.append(ModelNode(name, size, order))

    def teardown(self) -> None:
        """Nothing of this run is left to the next one."""
        with self.world.services.database.write() as session:
            mine = select(Node.id).join(Pool).where(Pool.name == self.pool)
            session.execute(update(Allocation).where(Allocation.node_id.in_(mine)).values(state="released"))
            session.execute(update(Node).where(Node.id.in_(mine)).values(state="retired"))

    # What users do

    def _post(self, user: str, body: dict[str, Any], key: str) -> Any:
        return self.world.call("POST", "/allocations", body, token=self.tokens[user], headers={"Idempotency-Key": key})

    @rule(user=users, cpus=cpus)
    def acquire(self, user: str, cpus: int) -> None:
        name = next(self.names)
        body = {"name": name, "deploy": False, "constraints": {"cpus": cpus, "pool": self.pool}}
        self.time.go_on(1)
        answer = self._post(user, body, key=f"key-{name}")
        best = self.model.best(cpus)
        if best is None:
            assert answer.status_code == 409, answer.text
            assert answer.get_json()["type"] == "nothing-fits"
            return
        assert answer.status_code == 201, answer.text
        document = answer.get_json()
        assert (document["name"], document["node"], document["user"]) == (name, best.name, user)
        self.model.take(name, user, best, self.time.moment.timestamp())
        self.answered.append(Answered(user, f"key-{name}", body, document, self.time.moment))

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
        assert (answer.status_code, answer.get_json()) == (201, before.document)

    @precondition(lambda self: self._kept())
    @rule(which=some)
    def use_a_key_for_something_else(self, which: int) -> None:
        before = self._kept()[which % len(self._kept())]
        assert self._post(before.user, before.body | {"hostname": "other"}, before.key).status_code == 422

    @precondition(lambda self: self.model.held)
    @rule(which=some, user=users)
    def ask_by_a_name_that_is_held(self, which: int, user: str) -> None:
        one = list(self.model.held.values())[which % len(self.model.held)]
        body = {"name": one.name, "deploy": False, "constraints": {"pool": self.pool}}
        answer = self.world.call("POST", "/allocations", body, token=self.tokens[user])
        expected = 200 if user == one.user and one.state != RELEASING else 409
        assert answer.status_code == expected, answer.text

    @precondition(lambda self: self.model.held)
    @rule(which=some)
    def release(self, which: int) -> None:
        one = list(self.model.held.values())[which % len(self.model.held)]
        self.world.ask("DELETE", f"/allocations/{one.name}", token=self.tokens[one.user], expect=202)
        self.model.release(one.name)

    @precondition(lambda self: self.model.held)
    @rule(which=some)
    def release_what_is_anothers(self, which: int) -> None:
        one = list(self.model.held.values())[which % len(self.model.held)]
        other = next(user for user in USERS if user != one.user)
        self.world.ask("DELETE", f"/allocations/{one.name}", token=self.tokens[other], expect=404)

    # What workers do

    @precondition(lambda self: self.model.by_state(RELEASING))
    @rule(which=some, succeeded=st.sampled_from((True, True, False)))
    def a_release_ends(self, which: int, succeeded: bool) -> None:
        names = self.model.by_state(RELEASING)
        self._end_release(names[which % len(names)], succeeded=succeeded)

    def _end_release(self, name: str, *, succeeded: bool) -> None:
        node = self.model.held[name].node.name
        [operation] = self.world.get(f"/operations?node={node}&state=queued,running")["items"]
        with self.world.services.database.write() as session:
            conclude(session, operation["id"], "succeeded" if succeeded else "failed", "so the test says")
        self.model.release_ends(name, succeeded=succeeded)

    @precondition(lambda self: self.model.by_state(HELD))
    @rule(which=some)
    def use_and_give_back(self, which: int) -> None:
        """What nodes are for; it makes those that were used longest ago differ from those that were made first."""
        names = self.model.by_state(HELD)
        one = self.model.held[names[which % len(names)]]
        self.world.ask("DELETE", f"/allocations/{one.name}", token=self.tokens[one.user], expect=202)
        self.model.release(one.name)
        self._end_release(one.name, succeeded=True)

    @rule(seconds=st.sampled_from((1, 60, 3600, 86400)))
    def time_passes(self, seconds: int) -> None:
        self.time.go_on(seconds)

    # What is always true

    @invariant()
    def the_service_is_as_the_model(self) -> None:
        with self.world.services.database.read() as session:
            query = select(Node.name, Node.state).join(Pool).where(Pool.name == self.pool)
            nodes = dict(session.execute(query).all())
            held = session.execute(
                select(Allocation.name, Node.name, Allocation.state)
                .join(Node, Node.id == Allocation.node_id)
                .join(Pool, Pool.id == Node.pool_id)
                .where(Pool.name == self.pool, Allocation.state != "released")
            ).all()
            taken = session.scalar(
                select(func.count()).where(Event.kind == "node.allocated", Event.node_name.like(f"p{self.pool[4:]}-%"))
            )
        assert nodes == {node.name: node.state for node in self.model.nodes}
        assert sorted(tuple(one) for one in held) == sorted((one.name, one.node.name, one.state) for one in self.model.held.values())
        assert len({node for _name, node, _state in held}) == len(held), "a node in two hands"
        assert taken == self.model.taken, "each allocation has its event"


@pytest.mark.parametrize("runs", [pytest.param(40), pytest.param(300, marks=pytest.mark.long)])
def test_whatever_happens(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    time = Time()
    monkeypatch.setattr(clock, "now", time.now)
    world = make_world(engine=False)
    numbers = itertools.count(1)
    run_state_machine_as_test(
        lambda: PoolMachine(world, time, next(numbers)),
        settings=settings(
            max_examples=runs, stateful_step_count=30, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
