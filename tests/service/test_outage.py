"""The database goes away and comes back: 503 with Retry-After meanwhile, then everything goes on by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from inventory_service import clock, db
from inventory_service.models import Operation
from tests.service.databases import Databases
from tests.service.served import Served
from tests.service.world import Work, World, until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is busy is given up soon, so that the test does not wait for it."""
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0.2)


def _assert_says_so(answer: Any) -> None:
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["type"] == "unavailable"


_ASKS = "who asks in the background"


@contextmanager
def _in_background(ask: Callable[[], Any]) -> Iterator[list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), name=_ASKS)
    thread.start()
    yield answers
    thread.join(60)
    assert not thread.is_alive()


def test_requests_are_told_and_then_answered(world: World, databases: Databases) -> None:
    world.image()
    world.ready_node("m1")
    body = {"name": "web", "deploy": False}
    with databases.away(world.settings):
        for unused in range(3):
            _assert_says_so(world.call("POST", "/allocations", body, token=world.user))
        if not world.services.database.is_sqlite:
            _assert_says_so(world.call("GET", "/nodes"))
            _assert_says_so(world.call("GET", "/readyz", token=None))
        assert world.call("GET", "/healthz", token=None).status_code == 200
    assert world.call("GET", "/readyz", token=None).status_code == 200
    assert world.post("/allocations", body, token=world.user, expect=201)["node"] == "m1"
    assert len(world.events("node.allocated")) == 1


def test_no_operation_is_lost(
    make_world: Callable[..., World], databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(lease_seconds=3)
    world.image()
    world.ready_node("m1")
    world.ready_node("m2")
    world.acquire("one", constraints={"node": "m1"})
    held = Work(world, "m1")
    world.acquire("two", constraints={"node": "m2"})
    with world.services.database.read() as session:
        lease_until = session.scalar(select(Operation.lease_until).where(Operation.id == held.id))
    assert lease_until is not None
    with databases.away(world.settings):
        until(lambda: clock.now() > lease_until)
        until(lambda: "tries again" in caplog.text)
        _assert_says_so(world.call("POST", f"/operations/{held.id}/heartbeat", {"epoch": 1}, token=world.worker))
    # Its lease ran out meanwhile: it is another attempt, on the same operation.
    until(lambda: held.show()["state"] == "queued", 30)
    for node in ("m1", "m2"):
        assert Work(world, node).deploy()["state"] == "succeeded"
    assert world.get("/allocations/one")["state"] == world.get("/allocations/two")["state"] == "active"
    assert not world.get("/operations?state=queued,running")["items"]


def _looks(world: World) -> list[None]:
    """Gets longer whenever who asks in the background turns to the database."""
    looks: list[None] = []

    def note(*_connection: Any) -> None:
        if threading.current_thread().name == _ASKS:
            looks.append(None)

    event.listen(world.services.database.engine, "checkout", note)
    return looks


def test_who_waits_is_answered_and_can_wait_again(world: World, databases: Databases) -> None:
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    revision = work.show()["revision"]
    path = f"/operations/{work.id}?wait=50&after={revision}"
    looks = _looks(world)
    with _in_background(lambda: world.call("GET", path)) as answers:
        until(lambda: world.services.changes._waiters.get(f"operation:{work.id}"))
        with databases.away(world.settings):
            before = len(looks)
            until(lambda: answers or len(looks) > before)
            reads_go_on = world.services.database.is_sqlite
            assert len(answers) == (0 if reads_go_on else 1)
        if reads_go_on:
            work.report("log", lines=["here"])
    assert answers[0].status_code == (200 if reads_go_on else 503)
    revision = work.show()["revision"]
    with _in_background(lambda: world.get(f"/operations/{work.id}?wait=50&after={revision}")) as answers:
        until(lambda: len(world.services.changes._waiters.get(f"operation:{work.id}", ())) > 1)
        began = time.monotonic()
        work.report("log", lines=["again"])
    assert answers[0]["revision"] > revision
    assert time.monotonic() - began < 20


def test_service_that_starts_before_its_database(make_settings: Any, databases: Databases, tmp_path: Path) -> None:
    settings = make_settings()
    if settings.database.startswith("sqlite"):
        pytest.skip("a file is always there")
    log = tmp_path / "service.log"
    served = Served(settings, log=log)
    with databases.away(settings):
        served.spawn()
        until(lambda: log.exists() and log.read_text().count("the start is tried again") > 5, 60)
        assert served.process is not None and served.process.poll() is None
    try:
        until(served.answers, 60)
        assert served.ask("GET", "/nodes")["items"] == []
    finally:
        served.stop()


def test_what_was_idle_meanwhile_does_not_notice(
    still_world: World, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that rested is tried before it is used."""
    monkeypatch.setattr(db, "_PAUSE_SECONDS", 0.0)
    still_world.get("/nodes")
    with databases.away(still_world.settings):
        pass
    still_world.get("/nodes")
