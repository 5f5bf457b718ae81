"""Many requests in line for one node, and its release: how long until the first in line has it."""

from __future__ import annotations

import time
from typing import Any

from inventory_service.auth import ensure_rack, ensure_user
from inventory_service.services import open_services
from inventory_service.tokens import create_token
from tests.benchmarks.pools import Pool
from tests.service.world import Work


class _Rack:
    """What ``Work`` needs of a world, over HTTP."""

    engine = None
    """It is the service's own."""

    def __init__(self, pool: Pool) -> None:
        self.settings, self._service = pool.settings, pool.service
        self._admin = self._service.token
        services = open_services(self.settings)
        with services.database.write() as session:
            rack = ensure_rack(session, self.settings.default_rack, "bench")
            self.worker = create_token(session, ensure_user(session, "worker", "bench"), "worker", "bench", rack=rack)[1]
        services.database.close()

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, expect: int | None = None) -> Any:
        self._service.token = token or self._admin
        try:
            status, document = self._service.call(method, path, body)
        finally:
            self._service.token = self._admin
        assert status == expect if expect else status < 300, f"{method} {path}: {status} {document}"
        return document


def _handed_on(rack: _Rack, node: str, name: str) -> float:
    """Release a node as its worker does; seconds of the report that makes it ready."""
    rack.ask("DELETE", f"/allocations/{name}")
    work = Work(rack, node)  # type: ignore[arg-type]
    work.report("steps", step="erase")
    for disk in rack.ask("GET", f"/nodes/{node}")["disks"]:
        work.erase(disk["serial"])
    started = time.perf_counter()
    work.result()
    return time.perf_counter() - started


def measure(pool: Pool, waiting: int) -> dict[str, Any]:
    """
    :param waiting: how many stand in line
    """
    rack = _Rack(pool)
    nodes = [rack.ask("POST", "/allocations", {"name": f"holder-{number}", "deploy": False, "constraints": {"cpus": 2}})["node"]
             for number in range(4)]  # fmt: skip
    alone = min(_handed_on(rack, nodes[number], f"holder-{number}") for number in range(3))
    connected = pool.clients(8)
    wanted = {"deploy": False, "wait": True, "constraints": {"node": nodes[3]}}
    load = connected.run([connected.request("POST", "/api/v1/allocations", wanted) for _one in range(waiting)], 202)
    connected.close()
    handed_on = _handed_on(rack, nodes[3], "holder-3")
    held = rack.ask("GET", f"/allocations?node={nodes[3]}")["items"]
    assert [one["state"] for one in held] == ["allocated"], held
    return {
        "waiting": waiting,
        "requests to wait, a second": round(load.rate, 1),
        "release to the next holder ms": round(handed_on * 1000, 1),
        "a release that nobody waits for ms": round(alone * 1000, 1),
        "ratio": round(handed_on / alone, 1),
    }
