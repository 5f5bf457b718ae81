"""The inventory service itself, started for tests as its command starts it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START = "from inventory_service.cli import main; main()"
UP_SECONDS = 60


class RealService:
    """One inventory service on a free port, with its state in a directory.

    :param directory: empty; everything of this service is in it
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("METALPOOL_")},
            "METALPOOL_STATE_DIR": str(directory / "state"),
            "METALPOOL_LISTEN_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.command("init")

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.directory / "state" / "tls" / "ca.crt"

    def command(self, *words: str) -> None:
        """Run ``inventory-service`` with these words."""
        command = [sys.executable, "-c", START, *words]
        subprocess.run(command, check=True, env=self.environment, cwd=self.directory, capture_output=True)

    def token(self, user: str, role: str, *more: str) -> Path:
        """Make a token; the file that it is in."""
        path = self.directory / f"{user}.token"
        self.command("token", "create", "--user", user, "--role", role, "--output", str(path), *more)
        return path

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.directory / "service.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "serve"], env=self.environment, cwd=self.directory, stdout=log, stderr=log
        )
        deadline = time.monotonic() + UP_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """What a node sends that boots, without a token; status and document of the answer."""
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """What something that is not Ansible sends; status and document of the answer."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
