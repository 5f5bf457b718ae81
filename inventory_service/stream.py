"""``GET /api/v1/events/stream``: events as they happen (Server-Sent Events), to be resumed by ``Last-Event-ID``.

It listens beside the API, because a stream there would keep one of its threads for as long as it is open. Here one thread
of each process that serves has them all (asyncio); twice a second it asks once whether there is anything new, and reads it
for each token with the rights that the token has at that moment. Who reads too slowly is let go and resumes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from inventory_service.api.schemas.catalogue import Event as EventOut
from inventory_service.auth import caller_of
from inventory_service.db import AWAY
from inventory_service.documents.event import event_document
from inventory_service.metrics import STREAMS
from inventory_service.news import AT_ONCE, Horizon, latest, news
from inventory_service.problems import Forbidden, Invalid, NotFound, Problem, Unauthenticated, Unavailable
from inventory_service.services import Services

log = logging.getLogger(__name__)
PATH = "/api/v1/events/stream"
LOOK_SECONDS = 0.5
ALIVE_SECONDS = 15.0
HEAD_SECONDS = 10.0
BEHIND_BYTES = 1 << 20
"""Who has not read so much is too slow."""
_ROLES = ("admin", "user")
_AGAIN_SECONDS = 5.0
_MOST_DIGITS = 18
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\nretry: 2000\n\n"
)
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 422: "Unprocessable Content", 503: "Service Unavailable"}


@dataclass(eq=False)
class Stream:
    """One that is open.

    :param secret: the token, to ask again and again whether it is still good
    :param after: the number of the last event that was looked at for it
    """

    writer: asyncio.StreamWriter
    secret: str | None
    filter: str | None
    after: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, text: str) -> None:
        """Send something; end the stream when its reader is too slow."""
        self.writer.write(text.encode())
        if self.writer.transport.get_write_buffer_size() > BEHIND_BYTES:
            self.writer.transport.abort()
            self.ended.set()


@dataclass(frozen=True)
class _Found:
    """What there is for some streams that are alike."""

    text: str
    after: int
    over: bool = False


class Streams(threading.Thread):
    """All that are open in this process."""

    def __init__(self, services: Services) -> None:
        super().__init__(name="streams", daemon=True)
        self._services = services
        self._open: set[Stream] = set()
        self._horizon = Horizon()
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="stream-reader")

    def run(self) -> None:
        """Serve until the process ends."""
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Listen, as soon as the port is free."""
        settings = self._services.settings
        context = None
        if settings.tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(settings.tls_dir / "server.crt", settings.tls_dir / "server.key")
        while True:
            try:
                server = await asyncio.start_server(
                    self._serve_one, settings.listen_address, settings.stream_port, ssl=context, limit=1 << 14,
                    reuse_port=settings.processes > 1,
                )  # fmt: skip
                break
            except OSError as error:
                log.error("events cannot be streamed on port %s, it is tried again: %s", settings.stream_port, error)
                await asyncio.sleep(_AGAIN_SECONDS)
        async with server:
            await self._pump()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = None
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                stream = await self._opened(writer, await reader.readuntil(b"\r\n\r\n"))
            writer.write(_HEAD)
            self._open.add(stream)
            STREAMS.inc()
            left = asyncio.ensure_future(reader.read(1))  # nothing more is said: it answers when the other end is gone
            over = asyncio.ensure_future(stream.ended.wait())
            await asyncio.wait((left, over), return_when=asyncio.FIRST_COMPLETED)
            left.cancel()
            over.cancel()
        except Problem as problem:
            writer.write(_refusal(problem))
        except AWAY:
            writer.write(_refusal(Unavailable("the database does not answer: try again", retry_after=2)))
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except Exception:
            log.exception("a stream could not be opened")
        finally:
            if stream in self._open:
                self._open.discard(stream)
                STREAMS.dec()
            writer.close()

    async def _opened(self, writer: asyncio.StreamWriter, head: bytes) -> Stream:
        method, target, headers = _parse(head)
        if method != "GET" or target.path != PATH:
            raise NotFound("path", target.path)
        if len(self._open) >= self._services.settings.streams:
            raise Unavailable("too many streams are open here: try again", retry_after=10)
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        scheme, unused, token = headers.get("authorization", "").partition(" ")
        stream = Stream(writer, token.strip() if scheme.lower() == "bearer" else None, query.get("filter"), -1)
        said = headers.get("last-event-id") or query.get("after")
        await self._in_thread(self._check, stream, said)
        return stream

    def _check(self, stream: Stream, said: str | None) -> None:
        """Whether it may be opened, and from which number on."""
        caller = caller_of(self._services.database, stream.secret)
        if caller.role not in _ROLES:
            raise Forbidden(f"this is for {' and '.join(_ROLES)} tokens, and yours is a {caller.role} token")
        if said and not (said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS):
            raise Invalid("Last-Event-ID", said, f"{said!r} is no number of an event", "the id of the last event that was seen")
        with self._services.database.read() as session:
            upto = latest(session)
            news(session, caller, upto, upto, stream.filter)
        stream.after = int(said) if said else upto

    async def _pump(self) -> None:
        """Give everybody what is new, and a sign of life when there is nothing for long."""
        quiet = 0.0
        while not self._services.changes.closed:
            await asyncio.sleep(LOOK_SECONDS)
            quiet += LOOK_SECONDS
            streams = list(self._open)
            try:
                found = await self._in_thread(self._read, streams) if streams else {}
            except AWAY as error:
                log.error("the database does not answer, streams wait: %s", getattr(error, "orig", error))
                found = {}
            except Exception:
                log.exception("streams could not be fed; it is tried again")
                found = {}
            for stream, one in found.items():
                stream.after = max(stream.after, one.after)
                if one.text:
                    stream.say(one.text)
                if one.over:
                    stream.ended.set()
            if quiet >= ALIVE_SECONDS:
                quiet = 0.0
                for stream in streams:
                    stream.say(": alive\n\n")

    def _read(self, streams: list[Stream]) -> dict[Stream, _Found]:
        with self._services.database.read() as session:
            upto = self._horizon.look(session)
        alike: dict[tuple[str | None, str | None, int], list[Stream]] = {}
        for stream in streams:
            if stream.after < upto:
                alike.setdefault((stream.secret, stream.filter, stream.after), []).append(stream)
        found: dict[Stream, _Found] = {}
        for (secret, text, after), some in alike.items():
            found |= dict.fromkeys(some, self._read_one(secret, text, after, upto))
        return found

    def _read_one(self, secret: str | None, text: str | None, after: int, upto: int) -> _Found:
        try:
            caller = caller_of(self._services.database, secret)
            with self._services.database.read() as session:
                events = news(session, caller, after, upto, text)
                said = "".join(
                    f"id: {one.id}\ndata: {EventOut.model_validate(event_document(one)).model_dump_json()}\n\n" for one in events
                )
        except (Unauthenticated, Invalid):  # a filter's names may have gone out of sight
            return _Found("", after, over=True)
        return _Found(said, events[-1].id if len(events) == AT_ONCE else upto)

    async def _in_thread(self, work: Any, *said: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *said)


def _parse(head: bytes) -> tuple[str, Any, Mapping[str, str]]:
    line, *rest = head.decode("latin-1").split("\r\n")
    method, unused, rest_of_line = line.partition(" ")
    headers = {name.strip().lower(): value.strip() for name, unused, value in (one.partition(":") for one in rest)}
    try:
        return method, urlsplit(rest_of_line.rpartition(" ")[0]), headers
    except ValueError:
        raise NotFound("path", "") from None


def _refusal(problem: Problem) -> bytes:
    body = json.dumps(problem.document()).encode()
    lines = [f"HTTP/1.1 {problem.status} {_REASONS.get(problem.status, 'Error')}", "Content-Type: application/problem+json",
             f"Content-Length: {len(body)}", "Cache-Control: no-store", "Connection: close"]  # fmt: skip
    if problem.status == 401:
        lines.append('WWW-Authenticate: Bearer realm="metalpool"')
    if "retry_after" in problem.extensions:
        lines.append(f"Retry-After: {problem.extensions['retry_after']}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
