"""The line for the database: first come, first served, and no wait without an end."""

from __future__ import annotations

import threading

import pytest

from inventory_service.services import RUNNING
from inventory_service.turns import LineTooLong, Turns
from tests.service.world import KEY, World, until


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


def test_who_waits_for_something_else_lets_others_have_the_turn() -> None:
    turns = Turns(1, 30)
    order: list[str] = []
    met = threading.Event()

    def take() -> None:
        with turns.turn():
            order.append("another")
            met.set()
            until(lambda: len(turns._line) == 1)

    thread = threading.Thread(target=take)
    with turns.turn():
        thread.start()
        with turns.away():
            assert met.wait(30)
        order.append("again")
    thread.join(30)
    assert order == ["another", "again"]
    with turns.away():  # who has no turn has none to give
        pass
    assert (turns._free, len(turns._line)) == (1, 0)


def test_a_turn_that_was_not_had_again_is_not_given_back() -> None:
    turns = Turns(1, 0.05)
    taken, done = threading.Event(), threading.Event()

    def take() -> None:
        with turns.turn():
            taken.set()
            done.wait(30)

    def go_away() -> None:
        with turns.turn(), turns.away():
            thread.start()
            assert taken.wait(30)

    thread = threading.Thread(target=take)
    with pytest.raises(LineTooLong):
        go_away()
    assert turns._free == 0
    done.set()
    thread.join(30)
    assert turns._free == 1


def test_requests_that_wait_are_not_among_those_that_run(still_world: World) -> None:
    """More long polls than requests that may run at once; another request is answered meanwhile."""
    polls = RUNNING + 2
    answers: list[int] = []

    def poll() -> None:
        claim = {"wait": 10, "ssh_public_key": KEY}
        answers.append(still_world.call("POST", "/racks/local/claims", claim, token=still_world.worker).status_code)

    threads = [threading.Thread(target=poll) for _one in range(polls)]
    for thread in threads:
        thread.start()
    waiters = still_world.services.changes._waiters
    until(lambda: sum(len(one) for one in list(waiters.values())) == polls)
    assert not answers
    still_world.get("/nodes")
    still_world.services.changes.close()
    for thread in threads:
        thread.join(30)
    assert answers == [204] * polls


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
