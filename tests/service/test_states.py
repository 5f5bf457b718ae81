"""The table of states: no dead end, nothing out of reach, and the service does what the table says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from inventory_service.models import Node
from inventory_service.models.node import STATES
from inventory_service.node_records import find_node
from inventory_service.problems import Conflict
from inventory_service.states import TRANSITIONS, VERBS, WORKING, advance, allowed, sources
from inventory_service.steps import STEPS, steps_of
from tests.service.world import World


def _reachable(start: str) -> set[str]:
    found = {start}
    while True:
        more = {after for (before, _verb), after in TRANSITIONS.items() if before in found} | found
        if more == found:
            return found
        found = more


def test_every_state_is_reached_from_new() -> None:
    assert _reachable("new") == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_every_state_leads_back_to_ready(state: str) -> None:
    assert "ready" in _reachable(state)


@pytest.mark.parametrize("state", sorted(WORKING))
def test_every_working_state_ends_well_or_fails_and_can_be_tried_again(state: str) -> None:
    assert set(allowed(state)) == {"succeed", "fail"}
    failed = TRANSITIONS[state, "fail"]
    assert failed == f"failed_{state}"
    assert any(TRANSITIONS[failed, verb] == state for verb in allowed(failed))


def test_every_operation_is_a_verb_into_a_working_state() -> None:
    for kind in STEPS:
        assert {TRANSITIONS[state, kind] for state in sources(kind)} <= WORKING


def test_only_erasing_leads_from_a_user_to_ready() -> None:
    assert {before for (before, _verb), after in TRANSITIONS.items() if after == "ready"} == {
        "commissioning",
        "testing",
        "releasing",
        "broken",  # by a person's mark_fixed, and only while it is clean
    }


def test_limits_can_be_overridden() -> None:
    limits = {step.name: step.limit_seconds for step in steps_of("deploy", {"deploy.boot": 7})}
    assert (limits["boot"], limits["write_image"]) == (7, 1200)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=st.sampled_from(STATES), verb=st.sampled_from(VERBS), dirty=st.booleans())
def test_advance_does_what_the_table_says(still_world: World, state: str, verb: str, dirty: bool) -> None:
    database = still_world.services.database
    if not still_world.get("/nodes")["items"]:
        still_world.add_node("m1")
    with database.write() as session:
        session.execute(update(Node).values(state=state, dirty=dirty, reason="before"))
    after = TRANSITIONS.get((state, verb))
    with database.write() as session:
        node = find_node(session, "m1")
        version = node.version
        if after is None or (verb in ("commission", "mark_fixed") and dirty):
            with pytest.raises(Conflict):
                advance(session, node, verb, "test", reason="why")
            return
        advance(session, node, verb, "test", reason="why")
        assert node.version == version + 1
    shown = still_world.get("/nodes/m1")
    assert shown["state"] == after
    assert shown["reason"] == ("why" if after.startswith("failed_") or after in ("broken", "retired") else None)
    with database.read() as session:
        kept = find_node(session, "m1").dirty
    assert kept == (after in ("deploying", "rescue") or (dirty and (state, verb) != ("releasing", "succeed")))


def test_only_one_of_two_moves_wins(still_world: World) -> None:
    still_world.add_node("m1")
    database = still_world.services.database
    with database.read() as session:
        stale = find_node(session, "m1")
    with database.write() as session:
        advance(session, find_node(session, "m1"), "retire", "test", reason="old")
    with database.write() as session:
        stale = session.merge(stale, load=False)
        with pytest.raises(Conflict, match="no longer new"):
            advance(session, stale, "commission", "test")
