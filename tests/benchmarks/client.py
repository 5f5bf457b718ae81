"""Clients that keep their connections open, all in one thread: cheap enough not to be what is measured."""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Load:
    """What some clients saw: seconds from sending to the last byte of each answer, and how long all of it took."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    bodies: list[bytes] = field(default_factory=list)

    def add(self, other: Load) -> None:
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.bodies += other.bodies

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds within which so many of a hundred answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def figures(self) -> dict[str, float]:
        return {
            "answers": len(self.latencies),
            "a second": round(self.rate, 1),
            "p50 ms": round(self.percentile(50) * 1000, 2),
            "p99 ms": round(self.percentile(99) * 1000, 2),
        }


class _Connection:
    """One client: it sends its next request when it has read the answer to the one before."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        plain = socket.create_connection(address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname=address[0]) if tls else plain
        self.socket.setblocking(False)
        self.sent = 0.0
        self._answer = bytearray()
        self._wanted = 0

    def send(self, request: bytes) -> None:
        self._answer, self._wanted = bytearray(), 0
        self.sent = time.perf_counter()
        self.socket.sendall(request)  # a request is far smaller than what the kernel takes at once

    def read(self) -> bytearray | None:
        """The whole answer as soon as it is there."""
        while True:
            try:
                part = self.socket.recv(262_144)
            except (BlockingIOError, ssl.SSLWantReadError):
                return None
            if not part:
                raise ConnectionError(f"the service closed a connection after {bytes(self._answer[:200])!r}")
            self._answer += part
            if not self._wanted:
                end = self._answer.find(b"\r\n\r\n")
                if end < 0:
                    continue
                head = bytes(self._answer[:end]).lower()
                length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
                self._wanted = end + 4 + int(length or 0)
            if len(self._answer) >= self._wanted:
                return self._answer


class Clients:
    """So many clients of one service, with a token."""

    def __init__(self, count: int, port: int, token: str = "", tls: ssl.SSLContext | None = None, headers: str = "") -> None:
        address = ("127.0.0.1", port)
        self._head = f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n{headers}"
        if token:
            self._head += f"Authorization: Bearer {token}\r\n"
        self._connections = [_Connection(address, tls) for _one in range(count)]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        """The bytes of a request, to be made before they are needed."""
        data = json.dumps(body).encode() if body is not None else b""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{self._head}{more}Content-Length: {len(data)}\r\n\r\n".encode() + data

    def run(self, requests: Iterable[bytes], status: int, *, keep: bool = False) -> Load:
        """Send all requests, each client one after the other.

        :param status: what every answer has to be
        :param keep: whether to keep the answers' bodies
        """
        load, waiting = Load(), iter(requests)
        expected = f"HTTP/1.1 {status} ".encode()
        with selectors.DefaultSelector() as selector:
            started = time.perf_counter()
            busy = 0
            for one in self._connections:
                selector.register(one.socket, selectors.EVENT_READ, one)
                busy += _next(one, waiting)
            while busy:
                for key, _events in selector.select():
                    connection: _Connection = key.data
                    answer = connection.read()
                    if answer is None:
                        continue
                    load.latencies.append(time.perf_counter() - connection.sent)
                    if not answer.startswith(expected):
                        raise AssertionError(answer.decode(errors="replace")[:2000])
                    if keep:
                        load.bodies.append(bytes(answer.partition(b"\r\n\r\n")[2]))
                    busy -= 1 - _next(connection, waiting)
            load.seconds = time.perf_counter() - started
        return load

    def close(self) -> None:
        for one in self._connections:
            one.socket.close()


def _next(connection: _Connection, waiting: Iterator[bytes]) -> int:
    request = next(waiting, None)
    if request is None:
        return 0
    connection.send(request)
    return 1
