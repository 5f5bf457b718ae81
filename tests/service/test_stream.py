"""Events as they happen: in order, none missing, resumed by number, with the rights of each, and hundreds at once."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from inventory_service import clock
from inventory_service.events import record
from inventory_service.models import Event, Token, User
from inventory_service.news import Horizon
from inventory_service.stream import Streams
from inventory_service.tokens import find_token, revoke_token
from tests.service.world import World, until


class Reader:
    """One open stream."""

    def __init__(self, world: World, token: str | None, query: str = "", after: int | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", world.settings.stream_port, timeout=10)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Last-Event-ID": str(after)} if after is not None else {}
        self._connection.request("GET", f"/api/v1/events/stream{query}", headers=headers)
        self.answer = self._connection.getresponse()

    def read(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            line = self.answer.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
        return found

    def ends(self) -> bool:
        return b"data:" not in self.answer.read()

    def close(self) -> None:
        self._connection.close()
        self.answer.close()


@pytest.fixture
def streamed(make_world: Callable[..., World], unused_port: int) -> Iterator[World]:
    world = make_world(engine=False, tls=False, stream_port=unused_port)
    streams = Streams(world.services)
    streams.start()

    def answers() -> bool:
        try:
            return Reader(world, None).answer.status == 401
        except OSError:
            return False

    until(answers)
    yield world
    world.services.changes.close()
    streams.join(10)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _happen(world: World, *kinds: str, **more: Any) -> None:
    with world.services.database.write() as session:
        for kind in kinds:
            record(session, kind, "test", **more)


def test_events_come_in_order_and_go_on_by_number(streamed: World) -> None:
    reader = Reader(streamed, streamed.admin)
    assert reader.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    _happen(streamed, "a.1", "a.2")
    _happen(streamed, "a.3")
    seen = reader.read(3)
    assert [one["kind"] for one in seen] == ["a.1", "a.2", "a.3"]
    assert seen == streamed.get(f"/events?after={seen[0]['id'] - 1}")["items"]
    reader.close()
    _happen(streamed, "a.4", "b.1")
    assert [one["kind"] for one in Reader(streamed, streamed.admin, after=seen[1]["id"]).read(3)] == ["a.3", "a.4", "b.1"]
    assert [one["kind"] for one in Reader(streamed, streamed.admin, f"?filter=kind~b.&after={seen[0]['id']}").read(1)] == ["b.1"]


def test_many_events_are_caught_up_with(streamed: World) -> None:
    _happen(streamed, *(f"x.{number}" for number in range(1300)))
    first = streamed.get("/events?filter=kind=x.0")["items"][0]["id"]
    kinds = [one["kind"] for one in Reader(streamed, streamed.admin, after=first - 1).read(1300)]
    assert kinds == [f"x.{number}" for number in range(1300)]


def test_each_sees_only_what_its_rights_show(streamed: World) -> None:
    streamed.image()
    readers = {
        name: Reader(streamed, token) for name, token in (("alice", streamed.user), ("bob", streamed.other), ("root", streamed.admin))
    }
    _happen(streamed, "system.secret")
    with streamed.services.database.write() as session:
        for name in ("alice", "bob"):
            user = session.scalars(select(User).where(User.name == name)).one()
            session.add(Event(at=user.created_at, kind=f"of.{name}", actor="x", allocation_user_id=user.id, detail={}))
    assert [one["kind"] for one in readers["root"].read(3)] == ["system.secret", "of.alice", "of.bob"]
    assert [one["kind"] for one in readers["alice"].read(1)] == ["of.alice"]
    assert [one["kind"] for one in readers["bob"].read(1)] == ["of.bob"]


@pytest.mark.parametrize(
    ("query", "token", "after", "status"),
    [
        ("", "user", "x", 422),
        ("?filter=colour=1", "user", None, 422),
        ("", "worker", None, 403),
        ("", None, None, 401),
        ("/x", "user", None, 404),
    ],
)
def test_what_is_no_stream_is_refused_as_everywhere(streamed: World, query: str, token: str | None, after: Any, status: int) -> None:
    answer = Reader(streamed, getattr(streamed, token) if token else None, query, after).answer
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(answer.read())["status"] == status


def test_a_revoked_token_ends_its_stream(streamed: World) -> None:
    reader = Reader(streamed, streamed.user)
    with streamed.services.database.write() as session:
        for number in session.scalars(select(Token.id).join(User).where(User.name == "alice")).all():
            revoke_token(session, find_token(session, None, number), "test")
    _happen(streamed, "a.1")
    assert reader.ends()


def test_two_hundred_streams_are_one_thread_and_the_api_answers(streamed: World) -> None:
    threads = threading.active_count()
    readers = [Reader(streamed, streamed.admin) for unused in range(200)]
    assert all(one.answer.status == 200 for one in readers)
    assert threading.active_count() <= threads + 3
    began = time.monotonic()
    _happen(streamed, *(f"x.{number}" for number in range(20)))
    assert streamed.get("/nodes")["items"] == []
    for one in readers:
        assert len(one.read(20)) == 20
    print(f"20 events to 200 streams: {time.monotonic() - began:.2f} s")
    for one in readers:
        one.close()
    until(lambda: "metalpool_event_streams 0.0" in streamed.call("GET", "/metrics").text)


def test_nothing_is_passed_over_that_is_committed_later(still_world: World) -> None:
    """On PostgreSQL numbers are taken before the commit; one that is never committed holds nobody up for ever."""
    database = still_world.services.database
    if database.is_sqlite:
        pytest.skip("on SQLite one writes at a time")

    def look() -> int:
        with database.read() as session:
            return horizon.look(session)

    horizon = Horizon()
    look()
    at = look()
    with database.engine.connect() as late:
        row = {"at": clock.now(), "actor": "x", "detail": {}}
        late.execute(insert(Event), row | {"kind": "late"})
        _happen(still_world, "early")
        assert look() == at and look() == at
        late.commit()
        assert look() == at + 2
        late.execute(insert(Event), row | {"kind": "never"})
        late.rollback()
        _happen(still_world, "next")
        look()
        assert look() == at + 4
