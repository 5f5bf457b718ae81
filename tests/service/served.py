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
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from inventory_service.config import Settings
from tests.service.world import KEY, until


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
            "METALPOOL_LISTEN_PORT": str(self.port),
            "PATH": os.environ["PATH"],
        } | settings
        self.token = (directory / "admin.token").read_text().strip()
        self.tls = ssl.create_default_context(cafile=str(directory / "tls" / "ca.crt"))
        self.process: subprocess.Popen[bytes] | None = None
        self.is_up = threading.Event()
        """Set from the moment at which it answers until it is killed or told to stop."""
        self._log = log

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
            url = path if path.startswith(("/boot", "/readyz", "/healthz")) else f"/api/v1{path}"
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, url, json.dumps(body) if body is not None else None, headers)
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
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

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
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def claim(self) -> tuple[str, int]:
        claim = self.ask("POST", "/racks/local/claims", {"wait": 10, "ssh_public_key": KEY})
        return f"/operations/{claim['operation_id']}", claim["epoch"]
