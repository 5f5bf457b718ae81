"""A client for QEMU's machine protocol, as much of it as the power button needs."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any


class QmpError(Exception):
    """QEMU refused a command, or did not answer in time."""


class Qmp:
    """A connection to QEMU's monitor socket; use it with `with`."""

    def __init__(self, path: Path, seconds: float = 5) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.events: list[str] = []
        try:
            self.socket.connect(str(path))
            self.stream = self.socket.makefile("rwb")
            self.receive()
            self.execute("qmp_capabilities")
        except (OSError, QmpError):
            self.socket.close()
            raise

    def __enter__(self) -> Qmp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.socket.close()

    def receive(self) -> dict[str, Any]:
        """Returns the next message."""
        try:
            line = self.stream.readline()
        except TimeoutError:
            raise QmpError("QEMU's monitor does not answer") from None
        if not line:
            raise QmpError("QEMU closed its monitor")
        message: dict[str, Any] = json.loads(line)
        if "event" in message:
            self.events.append(message["event"])
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """Runs a command and returns its result."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.stream.flush()
        while True:
            message = self.receive()
            if "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def wait_event(self, name: str) -> None:
        """Waits until an event has happened (since this connection was made)."""
        while name not in self.events:
            self.receive()
