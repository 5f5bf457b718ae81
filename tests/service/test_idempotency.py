"""The same request with the same key is done once, whatever happens to its answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from inventory_service import clock
from inventory_service.models import IdempotencyKey
from tests.service.world import KEY, World

BODY = {"deploy": False, "constraints": {}}


def _ask(world: World, key: str | None, body: Any = None, path: str = "/allocations", **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return world.call("POST", path, BODY if body is None else body, headers=headers, **{"token": world.user} | more)


def test_a_request_that_comes_again_is_answered_the_same_and_takes_nothing(still_world: World) -> None:
    for name in ("m1", "m2"):
        still_world.ready_node(name)
    first, again, other = (_ask(still_world, key) for key in ("k1", "k1", "k2"))
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 201)
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert {first.get_json()["node"], other.get_json()["node"]} == {"m1", "m2"}
    assert len(still_world.get("/allocations")["items"]) == 2


def test_a_key_belongs_to_one_request_of_one_user(still_world: World) -> None:
    for name in ("m1", "m2"):
        still_world.ready_node(name)
    _ask(still_world, "k1")
    for refused in (_ask(still_world, "k1", BODY | {"name": "web"}), _ask(still_world, "k1", {}, "/ssh-keys")):
        assert refused.status_code == 422
        assert (refused.get_json()["field"], refused.get_json()["value"]) == ("Idempotency-Key", "k1")
    assert _ask(still_world, "k1", token=still_world.other).get_json()["user"] == "bob"


@pytest.mark.parametrize("key", ["", " ", "two words", "ä", "x" * 201])
def test_a_key_that_is_none(still_world: World, key: str) -> None:
    assert _ask(still_world, key or " ").get_json()["field"] == "Idempotency-Key"


def test_a_refusal_is_not_kept(still_world: World) -> None:
    assert _ask(still_world, "k1").status_code == 409
    still_world.ready_node("m1")
    assert _ask(still_world, "k1").status_code == 201


def test_what_was_asked_for_at_the_same_moment_is_done_once(still_world: World) -> None:
    for number in range(8):
        still_world.ready_node(f"m{number}")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: _ask(still_world, "k1"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["name"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(still_world.get("/allocations")["items"]) == 1


def test_a_request_of_several_steps_is_done_once(still_world: World) -> None:
    """An operation, and one that answers something else the second time without a key."""
    still_world.add_node("m1")
    path = "/nodes/m1/operations"
    first = _ask(still_world, "k1", {"kind": "commission"}, path, token=still_world.admin)
    assert _ask(still_world, None, {"kind": "commission"}, path, token=still_world.admin).status_code == 409
    assert _ask(still_world, "k1", {"kind": "commission"}, path, token=still_world.admin).get_json() == first.get_json()
    stored = {"name": "laptop", "key": KEY}
    assert [_ask(still_world, key, stored, "/ssh-keys").status_code for key in ("k2", "k2", "k3")] == [201, 201, 200]


def test_answers_are_kept_for_a_time(make_world, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(engine=False, idempotency_seconds=3600)
    for name in ("m1", "m2"):
        world.ready_node(name)
    first = _ask(world, "k1")
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=3500))
    assert _ask(world, "k1").get_json() == first.get_json()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=3700))
    assert _ask(world, "k1").get_json()["node"] != first.get_json()["node"]


def test_what_is_kept_is_not_in_clear(still_world: World) -> None:
    still_world.ready_node("m1")
    _ask(still_world, "k1", BODY | {"name": "a-name-that-is-told-from-others"})
    _ask(still_world, "k2", {"name": "once-and-only-here", "key": KEY}, "/ssh-keys")
    with still_world.services.database.read() as session:
        rows = session.query(IdempotencyKey).all()
    assert len(rows) == 2
    assert not any("name" in row.body or "{" in row.body for row in rows)
