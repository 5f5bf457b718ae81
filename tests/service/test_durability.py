"""The real service, killed with ``kill -9`` and started again: nothing that was answered is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inventory_service.config import Settings
from tests.service.served import Served
from tests.service.world import KEY, facts, until

MAC = "52:54:00:00:00:01"


@pytest.fixture
def served(make_settings: Callable[..., Settings]) -> Iterator[Served]:
    service = Served(make_settings(), METALPOOL_LEASE_SECONDS="3", METALPOOL_STEP_LIMITS='{"commission.health_test": 4}')
    service.start()
    service.ask("POST", "/nodes", {"name": "m1", "interfaces": [{"mac": MAC}]})
    service.ask("POST", "/nodes/m1/operations", {"kind": "commission"})
    yield service
    service.stop()


def test_running_operation_goes_on_after_kill_9(served: Served) -> None:
    path, epoch = served.claim()
    served.ask("POST", f"{path}/steps", {"epoch": epoch, "step": "boot"})
    armed = served.ask("POST", f"{path}/arm", {"epoch": epoch})
    served.kill()
    served.start()
    assert served.ask("POST", f"{path}/heartbeat", {"epoch": epoch}) == {"cancel": False}
    said = {"boot": armed["boot"], "nonce": armed["nonce"], "host_key": KEY, "macs": [MAC], "address": "192.0.2.9"}
    assert served.ask("POST", "/boot/checkin", said) == {"authorized_keys": [KEY]}
    served.ask("PUT", f"{path}/facts", {"epoch": epoch, "facts": facts()})
    assert served.ask("POST", f"{path}/result", {"epoch": epoch, "outcome": "succeeded"})["state"] == "succeeded"
    assert served.ask("GET", "/nodes/m1")["state"] == "ready"


def test_operation_whose_worker_died_too_is_queued_again_and_then_ends(served: Served) -> None:
    path, epoch = served.claim()
    served.kill()
    served.start()
    until(lambda: served.ask("GET", path)["state"] == "queued", 20)
    second, newer = served.claim()
    assert second == path
    assert newer > epoch
    served.kill()
    served.start()
    until(lambda: served.ask("GET", path)["ended_at"], 20)
    ended = served.ask("GET", path)
    assert ended["state"] == "failed"
    assert "fell silent" in ended["reason"]
    assert served.ask("GET", "/nodes/m1")["state"] == "failed_commissioning"
    assert served.ask("POST", "/nodes/m1/operations", {"kind": "commission"})["state"] == "queued"


def test_limit_of_a_step_holds_across_kill_9(served: Served) -> None:
    path, epoch = served.claim()
    served.ask("POST", f"{path}/steps", {"epoch": epoch, "step": "health_test"})
    served.kill()
    served.start()

    def ended() -> bool:
        served.call("POST", f"{path}/heartbeat", {"epoch": epoch})
        return bool(served.ask("GET", path)["ended_at"])

    until(ended, 20)
    assert served.ask("GET", path)["reason"] == "step health_test exceeded its limit of 4 s"


def test_queued_operation_is_not_lost(served: Served) -> None:
    served.kill()
    served.start()
    path, _epoch = served.claim()
    assert served.ask("GET", path)["state"] == "running"


def test_serving_processes_alone_are_started_again(served: Served) -> None:
    before = served.serving()
    for serving in before:
        os.kill(serving, signal.SIGKILL)
    until(lambda: len(served.serving()) == len(before) and not set(before) & set(served.serving()))
    until(served.answers, 30)
    path, _epoch = served.claim()
    assert served.ask("GET", path)["state"] == "running"


def test_service_stops_soon_though_requests_wait(served: Served) -> None:
    assert served.process is not None
    path, _epoch = served.claim()
    revision = served.ask("GET", path)["revision"]
    waiting = subprocess.Popen(
        [sys.executable, "-c", _WAIT, str(served.port), f"/api/v1{path}?wait=60&after={revision}", served.token]
    )
    until(lambda: _connections(served.port) > 0)
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 12
    waiting.wait(30)


_WAIT = """
import http.client, ssl, sys
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=60)
connection.request("GET", sys.argv[2], headers={"Authorization": "Bearer " + sys.argv[3]})
try:
    connection.getresponse().read()
except OSError:
    pass
"""


def _connections(port: int) -> int:
    established, hexadecimal = "01", f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[1].endswith(hexadecimal) and line.split()[3] == established)


def test_short_requests_are_answered_while_many_wait(served: Served) -> None:
    path, epoch = served.claim()
    revision = served.ask("GET", path)["revision"]
    waiters = [
        subprocess.Popen(
            [sys.executable, "-c", _WAIT, str(served.port), f"/api/v1{path}?wait=20&after={revision}", served.token]
        )
        for unused in range(12)
    ]
    until(lambda: _connections(served.port) >= len(waiters), 30)
    began = time.monotonic()
    for unused in range(10):
        served.ask("GET", "/nodes/m1")
    assert time.monotonic() - began < 5
    served.ask("POST", f"{path}/log", {"epoch": epoch, "lines": ["wake up"]})
    for waiter in waiters:
        waiter.wait(30)
