"""Several processes serve on PostgreSQL, beside one engine: together they promise what one process does."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from inventory_service.config import Settings
from inventory_service.db import migrations_config, newest_revision, number_of
from tests.service.databases import Databases
from tests.service.served import Served
from tests.service.world import KEY, World, facts, until

CLIENTS = 12
ENGINES = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = :number")
END = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'metalpool engine'")


@pytest.fixture
def settings(databases: Databases, make_settings: Callable[..., Settings]) -> Settings:
    if databases.processes == 1:
        pytest.skip("on SQLite one process serves")
    return make_settings()


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    service = Served(settings, METALPOOL_LEASE_SECONDS="5", METALPOOL_BOOT_REQUESTS_PER_MINUTE="5")
    service.start()
    until(lambda: len(service.connections()) == 2)
    until(lambda: _engines(settings) == 1)
    yield service
    service.stop()


def _engines(settings: Settings) -> int:
    """How many hold the engine's lock."""
    engine = create_engine(settings.database)
    with engine.connect() as connection:
        found = int(connection.execute(ENGINES, {"number": number_of("engine")}).scalar_one())
    engine.dispose()
    return found


def _ready_nodes(settings: Settings, count: int) -> None:
    world = World(settings)
    for unused in range(count):
        world.ready_node()
    world.close()


def _commissioning(served: Served) -> tuple[str, int]:
    """An operation that is claimed."""
    name = f"m{time.monotonic_ns()}"
    mac = ":".join(f"{byte:02x}" for byte in (0x52, *(time.monotonic_ns() & 0xFFFFFFFFFF).to_bytes(5)))
    served.ask("POST", "/nodes", {"name": name, "interfaces": [{"mac": mac}]})
    served.ask("POST", f"/nodes/{name}/operations", {"kind": "commission"})
    return served.claim()


def _finish(served: Served, path: str, epoch: int) -> None:
    served.ask("PUT", f"{path}/facts", {"epoch": epoch, "facts": facts()})
    served.ask("POST", f"{path}/result", {"epoch": epoch, "outcome": "succeeded"})
    until(lambda: served.ask("GET", path)["state"] == "succeeded", 30)


def _at_each(served: Served, method: str, path: str, body: Any, **headers: str) -> list[Any]:
    """The answers to the same request, sent by many at the same moment, half of them to each process."""
    ready = Barrier(CLIENTS)
    lines = [line for unused in range(CLIENTS // 2) for line in served.connections().values()]

    def ask(number: int) -> Any:
        ready.wait(30)
        return lines[number].call(method, path, body, **headers)

    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(ask, range(CLIENTS)))


def test_a_change_at_one_process_wakes_who_waits_at_the_other(served: Served) -> None:
    path, epoch = _commissioning(served)
    seconds = []
    with ThreadPoolExecutor(1) as threads:
        for unused in range(5):
            for here, there in ((0, 1), (1, 0)):
                lines = list(served.connections().values())
                revision = served.ask("GET", path)["revision"]
                waiting = threads.submit(lines[there].call, "GET", f"{path}?wait=30&after={revision}")
                time.sleep(0.2)
                began = time.monotonic()
                assert lines[here].call("POST", f"{path}/log", {"epoch": epoch, "lines": ["a line"]}).status < 300
                assert waiting.result(30).document["revision"] > revision
                seconds.append(time.monotonic() - began)
    # Who waits looks again every two seconds in any case.
    assert statistics.median(seconds) < 0.5, seconds


def test_a_worker_at_one_process_gets_what_is_asked_for_at_the_other(served: Served) -> None:
    here, there = served.connections().values()
    here.call("POST", "/nodes", {"name": "m1", "interfaces": [{"mac": "52:54:00:00:00:01"}]})
    with ThreadPoolExecutor(1) as threads:
        claim = threads.submit(there.call, "POST", "/racks/local/claims", {"wait": 30, "ssh_public_key": KEY})
        time.sleep(0.5)
        asked = here.call("POST", "/nodes/m1/operations", {"kind": "commission"})
        assert claim.result(30).document["operation_id"] == asked.document["id"]


def test_the_same_key_at_both_processes_at_once_is_done_once(served: Served, settings: Settings) -> None:
    _ready_nodes(settings, 3)
    for number in range(3):
        answers = _at_each(served, "POST", "/allocations", {"deploy": False}, **{"Idempotency-Key": f"key-{number}"})
        assert {answer.status for answer in answers} == {201}
        assert len({answer.document["name"] for answer in answers}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(served.ask("GET", "/allocations")["items"]) == 3


def test_one_name_at_both_processes_at_once_is_one_allocation(served: Served, settings: Settings) -> None:
    _ready_nodes(settings, 3)
    answers = _at_each(served, "POST", "/allocations", {"deploy": False, "name": "web"})
    assert Counter(answer.status for answer in answers) == {201: 1, 200: CLIENTS - 1}
    assert len(served.ask("GET", "/allocations")["items"]) == 1


def test_a_rate_is_counted_over_all_processes(served: Served) -> None:
    """Unless the minute ends meanwhile, which does not happen twice."""
    for source in ("192.0.2.1", "192.0.2.2"):
        answers = _at_each(served, "GET", "/boot/ipxe?mac=52:54:00:aa:bb:cc", None, **{"X-Forwarded-For": source})
        if (counts := Counter(answer.status for answer in answers)) == {200: 5, 429: CLIENTS - 5}:
            return
    raise AssertionError(counts)


def test_operations_go_on_after_kill_9_of_the_engine(served: Served, settings: Settings) -> None:
    path, epoch = _commissioning(served)
    [before] = served.engines()
    os.kill(before, signal.SIGKILL)
    _finish(served, path, epoch)
    [after] = served.engines()
    assert after != before
    assert _engines(settings) == 1


def test_an_engine_that_lost_its_lock_ends_and_another_one_goes_on(served: Served, settings: Settings) -> None:
    [before] = served.engines()
    engine = create_engine(settings.database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        assert connection.execute(END).all() == [(True,)]
    engine.dispose()
    until(lambda: served.engines() not in ([], [before]))
    path, epoch = _commissioning(served)
    _finish(served, path, epoch)
    assert _engines(settings) == 1


def test_the_others_serve_on_after_kill_9_of_one(served: Served) -> None:
    path, epoch = _commissioning(served)
    killed, *others = served.serving()
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in served.serving())
    began = time.monotonic()
    for unused in range(20):
        until(served.answers)
    assert time.monotonic() - began < 10
    until(lambda: len(served.connections()) == 2, 30)
    assert set(others) < served.connections().keys()
    _finish(served, path, epoch)


def test_the_database_goes_away_and_comes_back(served: Served, settings: Settings, databases: Databases) -> None:
    path, epoch = _commissioning(served)
    [before] = served.engines()
    serving = set(served.serving())
    with databases.away(settings):
        for line in served.connections().values():
            assert line.call("GET", path).status == 503
        until(lambda: served.engines() not in ([], [before]))
    until(served.answers, 30)
    _finish(served, *(_again(served, path) or (path, epoch)))
    assert set(served.serving()) == serving, "a process that serves waits for the database, and does not end"
    assert _engines(settings) == 1
    test_a_change_at_one_process_wakes_who_waits_at_the_other(served)


def _again(served: Served, path: str) -> tuple[str, int] | None:
    """The claim of the next attempt, when the worker could not report for too long."""
    return served.claim() if served.ask("GET", path)["state"] == "queued" else None


def test_two_supervisors_have_one_engine(served: Served, settings: Settings) -> None:
    other = Served(settings)
    other.start()
    try:
        until(other.engines)
        time.sleep(3)
        assert _engines(settings) == 1
        path, epoch = _commissioning(served)
        served.kill()
        _finish(other, path, epoch)
        assert _engines(settings) == 1
    finally:
        other.stop()


def test_processes_that_start_together_upgrade_once(settings: Settings, tmp_path: Any) -> None:
    command.downgrade(migrations_config(settings.database), "base")
    log = tmp_path / "service.log"
    served = Served(settings, log=log)
    served.start()
    try:
        until(lambda: len(served.connections()) == 2)
        until(lambda: _engines(settings) == 1)
        assert newest_revision() in str(served.call("GET", "/readyz")[1])
        assert "Traceback" not in log.read_text()
    finally:
        served.stop()
