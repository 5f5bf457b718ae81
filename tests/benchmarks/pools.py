"""A service with a seeded pool on one of the databases, and the loads that are put on it."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from inventory_service.config import Settings
from inventory_service.seed import seed
from inventory_service.services import open_services
from inventory_service.setup import initialise
from tests.benchmarks import floors
from tests.benchmarks.client import Clients, Load
from tests.benchmarks.recording import Recorder, Recording
from tests.benchmarks.requests import constraints
from tests.service.served import Served

PROCESSES = 2
"""So many serve on PostgreSQL."""
_SHARE_OF_A_ROUND = 5
"""A round takes at most every fifth node, so that the last of it finds nearly the pool that the first found."""

_RELEASE = (
    "UPDATE allocation SET state = 'released', released_at = created_at WHERE state <> 'released'",
    "UPDATE node SET state = 'ready' WHERE state = 'allocated'",
)


class Pool:
    """So many nodes in a database of their own, and the service in front of them while it is started."""

    def __init__(self, directory: Path, database_url: str, nodes: int) -> None:
        self.nodes = nodes
        self.settings = Settings(state_dir=directory, database_url=database_url, processes=PROCESSES if database_url else 1)
        initialise(self.settings)
        services = open_services(self.settings)
        with services.database.write() as session:
            seed(session, self.settings.default_rack, nodes)
        services.database.close()
        self._engine = create_engine(self.settings.database, isolation_level="AUTOCOMMIT")
        self.chance = random.Random(nodes)
        self.release_all()
        recorder = Recorder(self.settings)
        self.recordings: list[Recording] = recorder.allocations(16, self.chance)
        recorder.close()
        self.release_all()
        self.service = Served(self.settings)

    @property
    def is_sqlite(self) -> bool:
        return self.settings.database.startswith("sqlite")

    def release_all(self) -> None:
        """Make every node free again, outside of what is measured, and let the database tidy up."""
        with self._engine.connect() as connection:
            for statement in _RELEASE:
                connection.execute(text(statement))
            connection.execute(text("ANALYZE" if self.is_sqlite else "VACUUM (ANALYZE)"))

    def clients(self, count: int) -> Clients:
        return Clients(count, self.service.port, self.service.token, self.service.tls)

    def allocations(self, count: int, clients: int, wanted: Any = None) -> Load:
        """Allocate so many nodes by so many clients at once, each with a key of its own; in rounds, if need be.

        :param wanted: the constraints of all of them; random ones by default
        """
        connected, load = self.clients(clients), Load()
        self._round(connected, 2 * clients, wanted)  # nobody has just started, and the service has seen such requests
        self.release_all()
        while count > 0:
            some = min(count, self.nodes // _SHARE_OF_A_ROUND)
            load.add(self._round(connected, some, wanted))
            self.release_all()
            count -= some
        connected.close()
        return load

    def _round(self, connected: Clients, count: int, wanted: Any) -> Load:
        requests = [
            connected.request("POST", "/api/v1/allocations", {"deploy": False, "constraints": wanted or constraints(self.chance)},
                              Idempotency_Key=str(uuid.UUID(int=self.chance.getrandbits(128))))
            for _one in range(count)
        ]  # fmt: skip
        return connected.run(requests, 201)

    def refusals(self, count: int, clients: int, wanted: dict[str, Any]) -> Load:
        """Ask for what no node is, and be told why."""
        connected = self.clients(clients)
        request = connected.request("POST", "/api/v1/allocations", {"deploy": False, "constraints": wanted})
        connected.run([request] * clients, 409)
        load = connected.run([request] * count, 409)
        connected.close()
        return load

    def listing(self) -> tuple[int, float, float]:
        """Read all nodes in pages: bytes, seconds over HTTP, seconds of the same SQL alone."""
        recorder = Recorder(self.settings)
        statements, paths, path = [], [], "/nodes?limit=1000"
        while path:
            said, body = recorder.get(path)
            statements += said
            paths.append(path)
            following = json.loads(body)["next"]
            path = f"/nodes?limit=1000&after={following}" if following else ""
        recorder.close()
        connected = self.clients(1)
        requests = [connected.request("GET", f"/api/v1{one}") for one in paths]
        load = min((connected.run(requests, 200, keep=True) for _again in range(3)), key=lambda one: one.seconds)
        connected.close()
        alone = min(floors.read(self.settings.database, statements) for _again in range(3))
        return sum(len(one) for one in load.bodies), load.seconds, alone

    def floor(self, clients: int) -> dict[str, float]:
        """The same statements without the service."""
        some = self.nodes // _SHARE_OF_A_ROUND
        rounds = max(1, min(3, 2000 // some))
        found = []
        for _one in range(rounds):
            if self.is_sqlite:
                file = Path(self.settings.database.removeprefix("sqlite:///"))
                found.append(floors.sqlite(file, self.recordings, min(some, 3000)))
            else:
                found.append(floors.pgbench(self.settings.database, self.recordings, clients, min(some, 6000)))
            self.release_all()
        return max(found, key=lambda one: one["a second"])

    def close(self) -> None:
        self.service.stop()
        self._engine.dispose()
