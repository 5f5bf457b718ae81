"""What the service says to its database for a request, written down so that floors do the same and cannot go stale."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, event, text

from inventory_service import prepared
from inventory_service.app import create_app
from inventory_service.config import Settings
from inventory_service.db import ALONE
from inventory_service.services import open_services
from tests.benchmarks.requests import constraints

_UNMISTAKABLE = 200
"""A recording's own ids are found again by their value: greater ones are no user's, pool's or zone's, nor a number of CPUs."""


@dataclass(frozen=True)
class Statement:
    """One statement as the driver gets it; ``BEGIN``, ``COMMIT`` and ``ROLLBACK`` have no parameters."""

    sql: str
    parameters: Any = ()


@dataclass(frozen=True)
class Recording:
    """The statements of one request, in order, and the values in them that belong to this one request only."""

    statements: list[Statement]
    own: dict[str, Any]


class Recorder:
    """The application in this process, with an ear at its database."""

    def __init__(self, settings: Settings) -> None:
        self._services = open_services(settings)
        self._heard: list[Statement] = []
        self._client = create_app(self._services).test_client()
        self._headers = {"Authorization": f"Bearer {settings.admin_token_file.read_text().strip()}"}
        engine = self._services.database.engine

        @event.listens_for(engine, "before_cursor_execute")
        def _statement(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool) -> None:
            if not sql.startswith("BEGIN"):
                self._heard.append(Statement(sql, parameters))

        prepared.listeners.append(self._prepared)

        for word in ("BEGIN", "COMMIT", "ROLLBACK"):
            event.listen(engine, word.lower(), partial(self._hear, word))

    def _hear(self, word: str, connection: Any) -> None:
        if not connection.get_execution_options().get(ALONE):
            self._heard.append(Statement(word))

    def _prepared(self, connection: Connection, sql: str, values: Sequence[Any]) -> None:
        if connection.engine.pool is self._services.database.engine.pool:
            self._heard.append(Statement(sql, tuple(values)))

    def get(self, path: str) -> tuple[list[Statement], bytes]:
        """The statements of a GET, and what it answered."""
        self._heard.clear()
        answer = self._client.get(f"/api/v1{path}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        return list(self._heard), answer.data

    def allocations(self, count: int, chance: random.Random) -> list[Recording]:
        """So many allocations with random constraints."""
        found: list[Recording] = []
        while len(found) < count:
            one = self._allocate(chance)
            if min(one.own["allocation_id"], one.own["node_id"]) > _UNMISTAKABLE:  # the first also read what is read once only
                found.append(one)
        return found

    def _allocate(self, chance: random.Random) -> Recording:
        self._heard.clear()
        key = str(uuid.UUID(int=chance.getrandbits(128)))
        body = {"deploy": False, "constraints": constraints(chance)}
        answer = self._client.post("/api/v1/allocations", json=body, headers=self._headers | {"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
        statements = list(self._heard)
        document = json.loads(answer.data)
        with self._services.database.read() as session:
            query = text("SELECT id, node_id FROM allocation WHERE name = :name")
            allocation_id, node_id = session.execute(query, {"name": document["name"]}).one()
        names = {"key": key, "name": document["name"], "node_name": document["node"]}
        return Recording(statements, names | {"allocation_id": allocation_id, "node_id": node_id})

    def close(self) -> None:
        prepared.listeners.remove(self._prepared)
        self._services.database.close()
