"""What wakes processes on one PostgreSQL, and what only one of them holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from inventory_service.changes import Changes
from inventory_service.postgresql import connect, hold_alone
from inventory_service.relay import Relay
from tests.service.world import until

NEVER = 600.0


@pytest.fixture(autouse=True)
def _only_postgresql(empty_url: str) -> None:
    if make_url(empty_url).get_backend_name() != "postgresql":
        pytest.skip("on SQLite there is one process")


@pytest.fixture
def processes(empty_url: str) -> Iterator[list[Changes]]:
    """What two processes would have; nobody looks again by himself."""
    found = [Changes(reread_seconds=NEVER), Changes(reread_seconds=NEVER)]
    relays = [Relay(empty_url, one) for one in found]
    for relay in relays:
        relay.start()
    until(lambda: len(_backends(empty_url, "relay")) == 2)
    yield found
    for one in found:
        one.close()
    _end_backends(empty_url, "relay")
    for relay in relays:
        relay.join(30)
        assert not relay.is_alive()


def _backends(url: str, name: str) -> list[int]:
    with connect(url, "test") as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state = 'idle' AND datname = current_database()"
        return [pid for (pid,) in connection.execute(query, [f"metalpool {name}"])]


def _end_backends(url: str, name: str) -> None:
    with connect(url, "test") as connection:
        for pid in _backends(url, name):
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])


class _Waiter:
    """Waits for a topic in the background, and counts how often it looked."""

    def __init__(self, changes: Changes, topic: str) -> None:
        self.looks = 0
        self.may_go = False
        self._thread = threading.Thread(target=changes.wait_until, args=(topic, self._look, NEVER), daemon=True)
        self._thread.start()
        until(lambda: self.looks == 1)

    def _look(self) -> bool | None:
        self.looks += 1
        return True if self.may_go else None

    def gone(self) -> bool:
        return not self._thread.is_alive()


def _announce_until(changes: Changes, topic: str, done: Callable[[], bool]) -> None:
    """As rows are changed again and again."""

    def again() -> bool:
        changes.announce([topic])
        time.sleep(0.05)
        return done()

    until(again)


def test_a_change_wakes_those_of_the_other_process_who_wait_for_it(processes: list[Changes]) -> None:
    here, there = processes
    waiter, other = _Waiter(there, "operation:1"), _Waiter(there, "operation:2")
    waiter.may_go = True
    here.announce(["operation:1", "rack:7"])
    until(waiter.gone)
    assert (waiter.looks, other.looks) == (2, 1)


def test_many_changes_at_once_all_arrive(processes: list[Changes]) -> None:
    here, there = processes
    waiters = [_Waiter(there, f"operation:{number}") for number in range(50)]
    for number, waiter in enumerate(waiters):
        waiter.may_go = True
        (here if number % 2 else there).announce([f"operation:{number}"])
    until(lambda: all(waiter.gone() for waiter in waiters))


def test_who_lost_its_connection_makes_everybody_look_again(processes: list[Changes], empty_url: str) -> None:
    here, there = processes
    waiter = _Waiter(there, "operation:1")
    _end_backends(empty_url, "relay")
    until(lambda: waiter.looks == 2)
    waiter.may_go = True
    _announce_until(here, "operation:1", waiter.gone)


def test_what_is_announced_while_the_connection_is_lost_is_sent_later(processes: list[Changes], empty_url: str) -> None:
    here, there = processes
    waiter = _Waiter(there, "operation:1")
    waiter.may_go = True
    _end_backends(empty_url, "relay")
    here.announce(["operation:1"])
    until(waiter.gone)


def test_one_holds_it_and_the_next_one_has_it_when_the_first_is_gone(empty_url: str) -> None:
    first = hold_alone(empty_url, "engine")
    others: list[psycopg.Connection[object]] = []
    waiting = threading.Thread(target=lambda: others.append(hold_alone(empty_url, "engine")), daemon=True)
    waiting.start()
    time.sleep(1)
    assert not others
    first.close()
    until(lambda: others)
    others[0].close()
