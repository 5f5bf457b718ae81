"""The service as tests use it: requests through the application, and a worker that reports what it is told to."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from sqlalchemy import text

from inventory_service.api import worker_progress
from inventory_service.api.health import ENGINE
from inventory_service.app import create_app
from inventory_service.auth import ensure_rack, ensure_user
from inventory_service.config import Settings
from inventory_service.engine import Engine
from inventory_service.models import Base
from inventory_service.models.operation import ENDED
from inventory_service.operations.outcome import conclude
from inventory_service.operations.watch import judge, open_operations
from inventory_service.services import open_services
from inventory_service.timekeeping import keep_time
from inventory_service.tokens import create_token

T = TypeVar("T")
_CONCLUDING_SECONDS = worker_progress.CONCLUDING_SECONDS

GIB = 1 << 30
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000 of-a-test"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHost000000000000000000000000000000000000000"
OTHER_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther00000000000000000000000000000000000000"


def until(look: Callable[[], T], seconds: float = 15.0) -> T:
    """What ``look`` answers as soon as it is true; fails when it is not in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class World:
    """One service, its users, and everything a test asks of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine: Engine | None = None
        self.open()
        self._numbers = itertools.count(1)
        self._tokens: dict[str, str] = {}
        self.admin = self.token("root", "admin")
        self.user = self.token("alice", "user")
        self.other = self.token("bob", "user")
        self.worker = self.token("worker", "worker", rack=settings.default_rack)

    def open(self) -> None:
        """Open the state directory, as a process that starts does."""
        self.services = open_services(self.settings)
        self.app = create_app(self.services)
        self.app.config["PROPAGATE_EXCEPTIONS"] = False

    def start_engine(self) -> None:
        self.engine = Engine(self.services, polling_seconds=0.05)
        self.engine.start()
        extensions: dict[str, object] = self.app.extensions
        extensions[ENGINE] = self.engine

    def stop_engine(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def settle(self) -> None:
        """Do once what the engine does all the time: conclude the operations whose verdict is clear."""
        with self.services.database.write() as session:
            for one in open_operations(session):
                verdict = judge(session, self.settings, one)
                if verdict.kind in ENDED:
                    conclude(session, one, verdict.kind, verdict.reason)

    def keep_time(self) -> None:
        """Do once what the engine does at its moment."""
        keep_time(self.services)

    def close(self) -> None:
        self.stop_engine()
        self.services.sandbox.close()
        self.services.database.close()

    def token(self, user: str, role: str, rack: str | None = None) -> str:
        with self.services.database.write() as session:
            bound = ensure_rack(session, rack, "test") if rack else None
            return create_token(session, ensure_user(session, user, "test"), role, "test", rack=bound)[1]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        source: str = "127.0.0.1",
        **more: Any,
    ) -> Any:
        """The raw answer; an administrator's unless another token (or None) is given."""
        headers = dict(more.pop("headers", {}))
        token = self.admin if token == "" else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        url = path if path.startswith(("/boot", "/healthz", "/readyz", "/metrics", "/openapi")) else f"/api/v1{path}"
        with self.app.test_client() as client:
            return client.open(url, method=method, headers=headers, environ_base={"REMOTE_ADDR": source}, **more)

    def ask(self, method: str, path: str, body: Any = None, *, expect: int | None = None, **more: Any) -> Any:
        """The answer's document, when its status is what is expected (any success by default)."""
        answer = self.call(method, path, body, **more)
        if expect is None:
            assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        else:
            assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.get_json(silent=True)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("POST", path, body if body is not None else {}, **more)

    def stored(self) -> bytes:
        """All that the database holds: the bytes of SQLite's files, PostgreSQL's rows as text."""
        url = self.services.database.engine.url
        if url.database and self.services.database.is_sqlite:
            return b"".join(Path(url.database + end).read_bytes() for end in ("", "-wal"))
        with self.services.database.read() as session:
            return "\n".join(
                row for table in Base.metadata.tables for row in session.scalars(text(f"SELECT t::text FROM {table} t"))
            ).encode()

    def events(self, kind: str | None = None, node: str | None = None) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in (("kind", kind), ("node", node)) if value)
        items: list[dict[str, Any]] = self.get(f"/events?limit=1000&{query}")["items"]
        return items

    def mac(self, number: int) -> str:
        return f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"

    def add_node(self, name: str | None = None, **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        body = {
            "name": name or f"n{number}",
            "interfaces": [{"mac": self.mac(number)}],
            "bmc": {"address": f"192.0.2.{number}", "username": "admin", "password": "factory"},
        } | values
        node: dict[str, Any] = self.post("/nodes", body)
        return node

    def ready_node(self, name: str | None = None, **hardware: Any) -> dict[str, Any]:
        """A node that was commissioned; see ``facts`` for the hardware."""
        values = {key: hardware.pop(key) for key in ("zone", "pool", "tags") if key in hardware}
        node = self.add_node(name, **values)
        self.post(f"/nodes/{node['name']}/operations", {"kind": "commission"})
        Work(self, node["name"]).commission(**hardware)
        if self.engine is None:
            self.settle()
        ready: dict[str, Any] = self.get(f"/nodes/{node['name']}")
        assert ready["state"] == "ready", ready["reason"]
        return ready

    def inventoried_node(self, name: str, **hardware: Any) -> Work:
        """A node whose facts are stored and whose commissioning goes on; needs no engine."""
        values = {key: hardware.pop(key) for key in ("zone", "pool", "tags") if key in hardware}
        self.add_node(name, **values)
        self.post(f"/nodes/{name}/operations", {"kind": "commission"})
        work = Work(self, name)
        work.report("facts", "PUT", facts=facts(**hardware))
        return work

    def image(self, name: str = "debian-12", **values: Any) -> dict[str, Any]:
        body = {
            "name": name,
            "os": "debian",
            "version": "12",
            "arch": "amd64",
            "url": f"/images/{name}.raw.zst",
            "sha256": "ab" * 32,
            "size_bytes": 100,
            "disk_bytes": GIB,
            "default_user": "debian",
            "boot": ["bios", "uefi"],
        } | values
        image: dict[str, Any] = self.post("/images", body)
        return image

    def plan(self, *, token: str | None = None, expect: int = 200, **wanted: Any) -> Any:
        """What an allocation would get; ``picks`` has the names only."""
        body = {"deploy": False} | wanted
        return self.ask("POST", "/allocation-plans", body, token=token or self.user, expect=expect)

    def picks(self, prefer: Any = None, **constraints: Any) -> list[str]:
        """The nodes that fit, best first."""
        answer = self.call("POST", "/allocation-plans", {"deploy": False, "prefer": prefer, "constraints": constraints})
        if answer.status_code == 409 and answer.get_json()["type"] == "nothing-fits":
            return []
        assert answer.status_code == 200, answer.text
        return [one["node"] for one in answer.get_json()["candidates"]]

    def acquire(self, name: str | None = None, *, token: str | None = None, expect: int = 201, **wanted: Any) -> Any:
        body = {"image": "debian-12", "credentials": {"ssh_keys": [KEY]}} | wanted
        if name:
            body["name"] = name
        return self.ask("POST", "/allocations", body, token=token or self.user, expect=expect)


def facts(
    *,
    cpus: int = 2,
    memory: int = 2 * GIB,
    arch: str = "amd64",
    firmware: str = "uefi",
    disks: list[tuple[str, str, int]] | None = None,
    parts: dict[str, Any] | None = None,
    **system: Any,
) -> dict[str, Any]:
    """A facts document; disks are (serial, kind, size in GiB), ``parts`` is what else is in it."""
    found = [("D1", "ssd", 6)] if disks is None else disks
    return {
        "system": {"vendor": "Acme", "product": "Box", "serial": "S", "uuid": None} | system,
        "firmware": {"kind": firmware, "vendor": "EDK", "version": "1"},
        "cpu": {"arch": arch, "threads": cpus},
        "memory": {"bytes": memory},
        "disks": [
            {"name": f"sd{index}", "path": f"/dev/sd{index}", "serial": serial, "kind": kind, "size_bytes": size * GIB,
             "rotational": kind == "hdd"}
            for index, (serial, kind, size) in enumerate(found)
        ],
        "interfaces": [],
        "bmc": {"firmware": "1.0", "mac": None},
        "boot": {"order": ["0001"]},
    } | (parts or {})  # fmt: skip


class Work:
    """A worker that has claimed an operation on one node and reports as a test wants it to."""

    def __init__(self, world: World, node: str, *, heartbeat: bool = True, token: str | None = None) -> None:
        self.world = world
        self.token = token or world.worker
        self.node = node
        body = {"node": node, "ssh_public_key": KEY, "wait": 5, "heartbeat": heartbeat}
        self.claim = world.ask(
            "POST", f"/racks/{world.settings.default_rack}/claims", body, token=self.token, expect=200
        )
        self.id: str = self.claim["operation_id"]
        self.epoch: int = self.claim["epoch"]
        self.mac: str = self.claim["node"]["interfaces"][0]["mac"]

    def report(self, what: str, method: str = "POST", expect: int | None = None, **body: Any) -> Any:
        path = f"/operations/{self.id}/{what}"
        return self.world.ask(method, path, {"epoch": self.epoch} | body, token=self.token, expect=expect)

    def show(self) -> dict[str, Any]:
        operation: dict[str, Any] = self.world.get(f"/operations/{self.id}")
        return operation

    def check_in(self, armed: dict[str, str], *, expect: int = 200, **said: Any) -> Any:
        body = {
            "boot": armed["boot"],
            "nonce": armed.get("nonce"),
            "host_key": HOST_KEY,
            "address": "192.0.2.100",
            "macs": [self.mac],
        } | said
        return self.world.ask("POST", "/boot/checkin", body, token=None, expect=expect)

    def boot(self) -> dict[str, str]:
        """Arm a boot, and check in as the node."""
        armed: dict[str, str] = self.report("arm")
        assert self.check_in(armed) == {"authorized_keys": [KEY]}
        return armed

    def result(self, outcome: str = "succeeded", reason: str | None = None, **more: Any) -> Any:
        """Where no engine runs, nobody concludes: the answer does not wait for it."""
        seconds = _CONCLUDING_SECONDS if self.world.engine else 0
        with patch.object(worker_progress, "CONCLUDING_SECONDS", seconds):
            return self.report("result", outcome=outcome, reason=reason, **more)

    def commission(self, **hardware: Any) -> Any:
        self.report("steps", step="inventory")
        self.report("facts", "PUT", facts=facts(**hardware))
        return self.result()

    def phone_home(self, host_keys: list[str] | None = None, expect: int = 204) -> str:
        path: str = self.report("phone-home-token")["url_path"]
        body = {"host_keys": host_keys or [HOST_KEY], "address": "192.0.2.101"}
        self.world.ask("POST", path, body, token=None, expect=expect)
        return path

    def deploy(self) -> Any:
        self.report("steps", step="first_boot")
        self.phone_home()
        return self.result()

    def erase(self, serial: str = "D1", *, verified: bool = True) -> None:
        self.report(
            "erasures", items=[{"serial": serial, "method": "overwrite", "verified": verified, "detail": "zeros"}]
        )

    def release(self, *serials: str) -> Any:
        self.report("steps", step="erase")
        for serial in serials or ("D1",):
            self.erase(serial)
        return self.result()
