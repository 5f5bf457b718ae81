"""The line for the database: first come, first served, and no wait without an end."""

from __future__ import annotations

import threading

import pytest

from inventory_service.turns import LineTooLong, Turns
from tests.service.world import World, until


def test_first_come_first_served() -> None:
    turns = Turns(1, 30)
    order: list[int] = []

    def take(number: int) -> None:
        with turns.turn():
            order.append(number)

    with turns.turn():
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            until(lambda: len(turns._line) == len(threads))
    for thread in threads:
        thread.join(30)
    assert order == list(range(8))


def test_who_gives_back_and_asks_again_stands_last() -> None:
    turns = Turns(1, 30)
    order: list[str] = []

    def take() -> None:
        with turns.turn():
            order.append("waited")

    with turns.turn():
        thread = threading.Thread(target=take)
        thread.start()
        until(lambda: len(turns._line) == 1)
    with turns.turn():
        order.append("again")
    thread.join(30)
    assert order == ["waited", "again"]


def test_a_wait_ends_and_leaves_the_line_in_order() -> None:
    turns = Turns(1, 0.05)
    with turns.turn():
        refused = []

        def take() -> None:
            with pytest.raises(LineTooLong), turns.turn():
                pass
            refused.append(True)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join(30)
        assert refused == [True]
    with turns.turn():
        pass


def test_a_session_inside_a_session_is_refused(still_world: World) -> None:
    database = still_world.services.database
    with database.read(), pytest.raises(RuntimeError, match="second session"), database.read():
        pass
    with database.read():
        pass


def test_too_long_a_line_is_told_and_passes(still_world: World) -> None:
    database = still_world.services.database
    database._connections._seconds = 0.1
    held, done = threading.Barrier(9), threading.Event()

    def hold() -> None:
        with database.read():
            held.wait()
            done.wait(30)

    threads = [threading.Thread(target=hold) for unused in range(8)]
    for thread in threads:
        thread.start()
    held.wait(30)
    refused = still_world.call("GET", "/nodes")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert refused.content_type == "application/problem+json"
    done.set()
    for thread in threads:
        thread.join(30)
    still_world.get("/nodes")
