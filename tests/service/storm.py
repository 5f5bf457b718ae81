"""A storm: many clients that acquire and release over HTTPS while the service is killed, and what must be true afterwards.

Every request is sent again, unchanged, until it is answered, as the collection's modules do it: with the same
Idempotency-Key, or with the same name, or with both. What was answered is written down here and compared with the rows of
the database.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from tests.service.served import Served
from tests.service.world import KEY, until

CLIENTS = 64
WORKERS = 4
LOST = 0.1
"""How often a client takes an answer for lost and asks again: a kill hardly ever falls between commit and answer."""
GIVE_UP = 120.0
"""Seconds after which a request that nobody answers is an error."""
_ALL, _ENGINE, _ONE_THAT_SERVES = range(3)
"""What a round kills. Granian ends the service when what serves ends twice within 5.5 seconds."""
SUBNET = {"vlan": "lan", "cidr": "203.0.113.0/24", "gateway": "203.0.113.1", "assign": True}
"""The nodes are on it: each allocation gets a fixed address, the lowest that is free, or the one that it asks for."""
_OWN = "203.0.113.{}"


@dataclass
class Told:
    """What clients were told."""

    statuses: Counter[int] = field(default_factory=Counter)
    replayed: int = 0
    """How many answers were those of an earlier request with the same key."""
    allocations: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Node and fixed address by the name of the allocation."""
    given_back: set[str] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, status: int, *, replayed: bool) -> None:
        with self.changed:
            self.statuses[status] += 1
            self.replayed += replayed
            self.changed.notify_all()

    def answers(self) -> int:
        return sum(self.statuses.values())


class Line:
    """One client's connection: it is kept open as long as the service lives, and a request is repeated until answered."""

    def __init__(self, served: Served, told: Told, token: str, lost: float = 0.0) -> None:
        """
        :param lost: how many of the answers are taken for lost
        """
        self._served, self._told, self._lost = served, told, lost
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPSConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        deadline = time.monotonic() + GIVE_UP
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        while time.monotonic() < deadline:
            try:
                answer = self._once(method, path, body, headers)
                content = answer.read()
                if random.random() < self._lost:
                    continue
            except (OSError, http.client.HTTPException):
                self._drop()
                self._served.is_up.wait(GIVE_UP)
                continue
            self._told.answer(answer.status, replayed="Idempotency-Replayed" in answer.headers)
            if answer.status != 503:
                return answer.status, json.loads(content) if content else None
            time.sleep(float(answer.headers["Retry-After"]))
        raise AssertionError(f"{method} {path} was not answered in {GIVE_UP} s")

    def _once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self._served.port, context=self._served.tls, timeout=60
            )
        self._connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        return self._connection.getresponse()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_ONCE = [(by_key, by_name) for by_key, by_name in itertools.product((True, False), repeat=2) if by_key or by_name]


class Storm:
    """Clients and workers of one service; ``round`` is one kill."""

    def __init__(self, served: Served, user: str, worker: str, seed: int) -> None:
        """
        :param user: the clients' token
        :param worker: the token of the rack's worker
        """
        self._served, self._user, self._worker = served, user, worker
        self.told = Told()
        self.random = random.Random(seed)
        self._rounds = 0
        self._held: dict[int, str] = {}
        self._over = threading.Event()

    def round(self) -> float:
        """Let every client acquire and release, kill the service or some of it in the middle; the answer is how long it took."""
        self._rounds += 1
        self._over.clear()
        answered = self.told.answers()
        began = time.monotonic()
        clients = [threading.Thread(target=self._guard, args=(self._client, number)) for number in range(CLIENTS)]
        workers = [threading.Thread(target=self._guard, args=(self._work, number)) for number in range(WORKERS)]
        for thread in clients + workers:
            thread.start()
        # Somewhere between the first answer and the last.
        enough = answered + self.random.randrange(1, 2 * CLIENTS)
        with self.told.changed:
            self.told.changed.wait_for(lambda: self.told.answers() >= enough, GIVE_UP)
        self._strike()
        for thread in clients:
            thread.join()
        # Also those whose claim was answered to nobody: they are another's after a while.
        watch = Line(self._served, Told(), self._served.token)
        until(lambda: not watch.ask("GET", "/operations?state=queued,running&limit=1")[1]["items"], GIVE_UP)
        self._over.set()
        for thread in workers:
            thread.join()
        assert not self.told.unexpected, self.told.unexpected[:5]
        return time.monotonic() - began

    def _strike(self) -> None:
        """Kill the whole service; of several processes by turns the engine's, all, and one of those that serve."""
        aim = self._rounds % 3 if self._served.engines() else _ALL
        if aim == _ENGINE:
            os.kill(self._served.engines()[0], signal.SIGKILL)
        elif aim == _ONE_THAT_SERVES:
            os.kill(self.random.choice(self._served.serving()), signal.SIGKILL)
        else:
            self._served.kill()
            self._served.start()

    def _guard(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            self.told.unexpected.append(repr(error))

    def _expect(self, status: int, document: Any, *expected: int) -> None:
        if status not in expected:
            self.told.unexpected.append(f"{status}: {document}")

    def _client(self, number: int) -> None:
        """Give back what an earlier round left; acquire, and give it back, or not."""
        line = Line(self._served, self.told, self._user, LOST)
        if number in self._held:
            self._release(line, self._held.pop(number))
        held = self._acquire(line, number)
        if held and number % 5 == self._rounds % 5:
            self._held[number] = held
        elif held:
            self._release(line, held)

    def _acquire(self, line: Line, number: int) -> str | None:
        """What makes asking twice asking once is the key of the request, or the name of the allocation."""
        name = f"c{number}-{self._rounds}"
        by_key, by_name = _ONCE[number % len(_ONCE)]
        wanted: dict[str, Any] = {"deploy": False} | ({"name": name} if by_name else {})
        if number % 4 == 0:
            wanted["addresses"] = {"lan4": _OWN.format(100 + number)}
        status, document = line.ask("POST", "/allocations", wanted, key=name if by_key else "")
        self._expect(status, document, 201, 409, *(() if by_key else (200,)))
        if status == 409:
            return None
        [address] = document["addresses"]
        if wanted.get("addresses", {"lan4": address["ip"]}) != {"lan4": address["ip"]}:
            self.told.unexpected.append(f"{wanted}: {document}")
        self.told.allocations[document["name"]] = (document["node"], address["ip"])
        return str(document["name"])

    def _release(self, line: Line, name: str) -> None:
        status, document = line.ask("DELETE", f"/allocations/{name}")
        self._expect(status, document, 202, 204)
        self.told.given_back.add(name)

    def _work(self, number: int) -> None:
        """A worker that ends every operation it gets, until the round is over."""
        line = Line(self._served, self.told, self._worker)
        while not self._over.is_set():
            status, claim = line.ask("POST", "/racks/local/claims", {"wait": 0.5, "ssh_public_key": KEY})
            if status == 200:
                report = {"epoch": claim["epoch"], "outcome": "succeeded"}
                status, document = line.ask("POST", f"/operations/{claim['operation_id']}/result", report)
                # The claim's answer may be lost with the service; then the operation is another claim's.
                self._expect(status, document, 200, 409)


def check(engine: Engine, told: Told) -> None:
    """Compare the rows with what clients were told, when all of them have been answered."""

    def rows(query: str) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(text(query)))

    allocations = {row.name: row for row in rows("SELECT id, name, node_id, node_name, state FROM allocation")}
    lost = {name: node for name, (node, _ip) in told.allocations.items() if name not in allocations}
    assert not lost, f"answered and lost: {lost}"
    moved = {name for name, (node, _ip) in told.allocations.items() if allocations[name].node_name != node}
    assert not moved, f"not on the node that was told: {moved}"
    assert allocations.keys() == told.allocations.keys(), "allocated, and nobody was told"
    given_back = {name for name, row in allocations.items() if row.state == "released"}
    assert given_back == told.given_back, f"released, or held, unlike what was told: {given_back ^ told.given_back}"

    twice = "SELECT node_id FROM allocation WHERE state NOT IN ('released', 'waiting') GROUP BY node_id HAVING count(*) > 1"
    assert not rows(twice), "a node in two hands"
    addresses = [tuple(one) for one in rows("SELECT h.name, a.ip FROM address a LEFT JOIN allocation h ON h.id = a.allocation_id")]
    expected = {(name, ip) for name, (_node, ip) in told.allocations.items() if name not in given_back}
    assert sorted(addresses) == sorted(expected), "who holds which address is not what was told"
    assert len({ip for _name, ip in addresses}) == len(addresses), "an address in two hands"
    held = {row.node_id for row in allocations.values() if row.state != "released"}
    states = {row.id: row.state for row in rows("SELECT id, state FROM node")}
    assert {node for node, state in states.items() if state == "allocated"} == held
    assert set(states.values()) <= {"ready", "allocated"}, f"stuck: {Counter(states.values())}"
    assert not rows("SELECT id FROM operation WHERE state IN ('queued', 'running')"), "an operation is stuck"
    for kind, names in (
        ("node.allocated", allocations.keys()),
        ("addresses.assigned", allocations.keys()),
        ("node.ready", given_back),
        ("addresses.freed", given_back),
    ):
        events = Counter(row.allocation for row in rows(f"SELECT allocation FROM event WHERE kind = '{kind}'"))
        assert events.keys() - {None} == set(names), f"{kind}: events and allocations differ"
        assert not [name for name, count in events.items() if name and count > 1], f"{kind}: twice"
    if engine.dialect.name == "sqlite":
        assert rows("PRAGMA integrity_check")[0][0] == "ok"
        assert not rows("PRAGMA foreign_key_check")
