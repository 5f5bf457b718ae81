"""The real service as processes of its own: ``inventory-service serve``, spoken to over HTTPS."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from inventory_service.config import Settings
from tests.service.world import KEY, until


def _words(pid: int) -> list[str]:
    """The command line of a process; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except FileNotFoundError:
        return []


class Served:
    """One supervisor with its serving process, on a port of its own."""

    def __init__(self, prepared: Settings, *, log: Path | None = None, **settings: str) -> None:
        """
        :param prepared: where its state and its database are
        :param log: where its output goes, instead of to the test's
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        directory = prepared.state_dir
        self.environment = {
            "METALPOOL_STATE_DIR": str(directory),
            "METALPOOL_DATABASE_URL": prepared.database_url,
            "METALPOOL_PROCESSES": str(prepared.processes),
            "METALPOOL_LISTEN_PORT": str(self.port),
            "METALPOOL_STREAM_PORT": "0",
            "PATH": os.environ["PATH"],
        } | settings
        self.token = (directory / "admin.token").read_text().strip()
        self.tls = ssl.create_default_context(cafile=str(directory / "tls" / "ca.crt"))
        self.process: subprocess.Popen[bytes] | None = None
        self.is_up = threading.Event()
        """Set from the moment at which it answers until it is killed or told to stop."""
        self._log = log
        self._kept: list[Kept] = []

    def spawn(self) -> None:
        command = [sys.executable, "-m", "inventory_service", "serve"]
        with self._log.open("ab") if self._log else nullcontext() as output:
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)

    def start(self) -> None:
        self.spawn()
        until(self.answers, 60)
        self.is_up.set()

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the service ended"
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, timeout: float = 30) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=timeout)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, _url(path), json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith(b"{") else None
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, document = self.call(method, path, body)
        assert status < 300, document
        return document

    def children(self) -> list[int]:
        """The processes that the supervisor started."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for file in tasks for child in file.read_text().split()]

    def engines(self) -> list[int]:
        """The engine's own processes; none where it runs in the one that serves."""
        return [pid for pid in self.children() if _words(pid)[-1:] == ["engine"]]

    def serving(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in self.children() if _words(pid)[-1:] == ["serve"]]

    def kill(self) -> None:
        """End all of its processes at once, as a power cut does."""
        assert self.process is not None
        self.is_up.clear()
        for pid in (self.process.pid, *self.children()):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        until(self._port_is_free)

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def stop(self) -> None:
        self.is_up.clear()
        for kept in self._kept:
            kept.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def connections(self) -> dict[int, Kept]:
        """A connection to each process that serves, by its id, as far as a few attempts find them: the kernel chooses."""
        serving, found = self.serving(), dict[int, Kept]()
        for unused in range(16):
            if len(found) < len(serving):
                kept = Kept(self)
                self._kept.append(kept)
                found[kept.process_of(serving)] = kept
        return found

    def claim(self) -> tuple[str, int]:
        claim = self.ask("POST", "/racks/local/claims", {"wait": 10, "ssh_public_key": KEY})
        return f"/operations/{claim['operation_id']}", claim["epoch"]


_ESTABLISHED = "01"


class Answer(NamedTuple):
    """What was answered on a connection that is kept."""

    status: int
    document: Any
    headers: Message


class Kept:
    """A connection that is kept open: all its requests are answered by one process."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._connection = http.client.HTTPSConnection("127.0.0.1", served.port, context=served.tls, timeout=60)
        self.call("GET", "/healthz")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        said = {"Authorization": f"Bearer {self._served.token}", "Content-Type": "application/json"} | headers
        self._connection.request(method, _url(path), json.dumps(body) if body is not None else None, said)
        answer = self._connection.getresponse()
        content = answer.read()
        return Answer(answer.status, json.loads(content) if content.startswith(b"{") else None, answer.headers)

    def close(self) -> None:
        """It would be waited for when the service stops."""
        self._connection.close()

    def process_of(self, processes: Iterable[int]) -> int:
        """Which of these has the other end."""
        ports = f":{self._served.port:04X}", f":{self._connection.sock.getsockname()[1]:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        [inode] = [row[9] for row in rows if (row[1][-5:], row[2][-5:], row[3]) == (*ports, _ESTABLISHED)]
        return next(pid for pid in processes if f"socket:[{inode}]" in _open_files(pid))


def _url(path: str) -> str:
    return path if path.startswith(("/boot", "/readyz", "/healthz", "/metrics")) else f"/api/v1{path}"


def _open_files(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(file.readlink()))
    return found
