"""Hypothesis looks for an order of events in which the service does something else than the model of the pool."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from inventory_service import clock
from tests.service.pool_machine import PoolMachine, Time
from tests.service.world import World


@pytest.mark.parametrize("runs", [pytest.param(40), pytest.param(400, marks=pytest.mark.long)])
def test_whatever_happens(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    time = Time()
    monkeypatch.setattr(clock, "now", time.now)
    world = make_world(engine=False)
    numbers = itertools.count(1)
    run_state_machine_as_test(
        lambda: PoolMachine(world, time, next(numbers)),
        settings=settings(
            max_examples=runs, stateful_step_count=40, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
