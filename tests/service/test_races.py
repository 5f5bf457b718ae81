"""Many ask for the same thing at the same moment, and each is told what is true."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.service.world import HOST_KEY, OTHER_HOST_KEY, Work, World

CLIENTS = 12


def _together(ask: Callable[[int], Any]) -> list[Any]:
    """The answers of many who begin at the same moment."""
    ready = threading.Barrier(CLIENTS)

    def one(number: int) -> Any:
        ready.wait(30)
        return ask(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


def _statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_one_name_is_one_allocation(world: World) -> None:
    world.image()
    for unused in range(4):
        world.ready_node()
    body = {"name": "web", "deploy": False}
    answers = _together(lambda number: world.call("POST", "/allocations", body, token=world.user))
    assert _statuses(answers) == {201: 1, 200: CLIENTS - 1}
    assert len({answer.get_json()["node"] for answer in answers}) == 1
    assert len(world.events("node.allocated")) == 1


def test_releasing_at_once_is_releasing_once(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web", deploy=False)
    answers = _together(lambda number: world.call("DELETE", "/allocations/web", token=world.user))
    assert _statuses(answers) == {202: CLIENTS}
    assert len({answer.get_json()["id"] for answer in answers}) == 1


def test_one_operation_a_node(world: World) -> None:
    world.add_node("m1")
    answers = _together(lambda number: world.call("POST", "/nodes/m1/operations", {"kind": "commission"}))
    assert _statuses(answers) == {202: 1, 409: CLIENTS - 1}
    assert {answer.get_json()["type"] for answer in answers if answer.status_code == 409} == {"operation-running"}


def test_one_worker_gets_it(world: World) -> None:
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    body = {"ssh_public_key": HOST_KEY, "wait": 0}
    answers = _together(lambda number: world.call("POST", "/racks/local/claims", body, token=world.worker))
    assert _statuses(answers) == {200: 1, 204: CLIENTS - 1}


def test_one_host_key_is_let_in(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    work = Work(world, "m1")
    armed = work.report("arm")
    said = {"boot": armed["boot"], "nonce": armed["nonce"], "address": "192.0.2.100", "macs": [work.mac]}
    keys = (HOST_KEY, OTHER_HOST_KEY)
    answers = _together(
        lambda number: world.call("POST", "/boot/checkin", said | {"host_key": keys[number % 2]}, token=None)
    )
    assert _statuses(answers) == {200: CLIENTS // 2, 403: CLIENTS // 2}
    assert len(world.events("boot.checked-in")) == 1
    assert world.events("security.token-reuse")


def test_no_line_of_a_log_is_lost(world: World) -> None:
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    before = work.show()["revision"]
    _together(lambda number: work.report("log", lines=[f"line {number}"]))
    lines = {line["message"] for line in world.get(f"/operations/{work.id}/log")["items"]}
    assert lines >= {f"line {number}" for number in range(CLIENTS)}
    assert work.show()["revision"] == before + CLIENTS


def test_adding_the_same_node_at_once_adds_it_once(world: World) -> None:
    body = {"name": "m1", "interfaces": [{"mac": world.mac(1)}]}
    answers = _together(lambda number: world.call("POST", "/nodes", body))
    assert _statuses(answers)[201] == 1
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert len(world.get("/nodes")["items"]) == 1
