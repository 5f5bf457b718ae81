"""A real HTTP server whose answers a test says beforehand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Call:
    """A request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """An answer: ``body`` is sent as JSON, bytes as they are; ``hang_up`` closes the connection without an answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


class Service:
    """An HTTP server on the loopback; `answer` decides what it says."""

    def __init__(self, port: int = 0) -> None:
        self.tls = False
        self.calls: list[Call] = []
        self.answer: Callable[[Call], Reply] = lambda _call: Reply(404, {"title": "There is no such thing"})
        service = self

        class Handler(BaseHTTPRequestHandler):
            """Hands each request to the service's `answer`."""

            def handle_any(self) -> None:
                """Read the request, answer it."""
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(self.command, self.path, dict(self.headers), json.loads(raw) if raw else None)
                service.calls.append(call)
                reply = service.answer(call)
                if reply.hang_up:
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                if reply.status in (204, 304):
                    body = b""
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *args: Any) -> None:
                """Say nothing: the test looks at `calls`."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://localhost:{self.server.server_address[1]}"

    def script(self, *replies: Reply) -> None:
        """Give these answers one after the other; the last one for ever."""
        left = list(replies)
        self.answer = lambda call: left.pop(0) if len(left) > 1 else left[0]

    def route(self, routes: dict[str, Any]) -> None:
        """Answer by ``METHOD /path`` below /api/v1 without the query: a Reply, a document or a function of the call."""

        def answer(call: Call) -> Reply:
            found = routes.get(f"{call.method} {call.path.removeprefix('/api/v1').split('?')[0]}")
            if callable(found):
                found = found(call)
            if found is None:
                return Reply(404, {"title": "There is no such thing", "status": 404})
            return found if isinstance(found, Reply) else Reply(200, found)

        self.answer = answer

    def made(self, *methods: str) -> list[str]:
        """The calls with these methods, as ``METHOD /path``."""
        return [f"{call.method} {call.path.removeprefix('/api/v1')}" for call in self.calls if call.method in methods]
