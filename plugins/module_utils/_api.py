# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of the service's REST API, /api/v1. Private to this collection.

Used by modules, action plugins and the inventory plugin alike. It makes one connection per call and keeps no state, so
it is safe in the worker processes that Ansible forks.
"""
from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import time
import typing as t
import uuid
from dataclasses import dataclass
from email.message import Message
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from ansible.module_utils.urls import Request
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError, Unreachable, problem_of
from ansible_collections.metalpool.core.plugins.module_utils._settings import Settings

AWAY = (502, 503, 504)
POLL_SECONDS = 25
POLL_PACE = 0.5
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Answer:
    """An answer of the API: the status, the JSON document (None when there is no body) and the headers."""

    status: int
    json: t.Any
    headers: Message

    @property
    def empty(self) -> bool:
        """Whether the API said that there is nothing (204), as it does at the end of a long poll."""
        return self.status == 204


class Api:
    """The API of one service for one token.

    :param settings: where it is and how to log in
    :param on_retry: called with a text when the service is away and the call will be repeated
    """

    def __init__(self, settings: Settings, on_retry: t.Callable[[str], None] | None = None) -> None:
        self.settings = settings
        self._on_retry = on_retry

    def get(self, path: str, wait: float = 0, **query: t.Any) -> Answer:
        """GET; ``wait`` seconds are asked of the service as a long poll and added to the request's time limit."""
        if wait:
            query["wait"] = int(wait)
        return self.call("GET", path, query=query, extra_time=wait)

    def find(self, path: str, **query: t.Any) -> t.Any:
        """GET one thing; None when there is no such thing (404)."""
        try:
            return self.get(path, **query).json
        except ApiError as exc:
            if exc.status == 404:
                return None
            raise

    def items(self, path: str, **query: t.Any) -> t.Iterator[dict[str, t.Any]]:
        """GET a list, page after page."""
        while True:
            page = self.get(path, **query).json
            yield from page["items"]
            if not page.get("next"):
                return
            query["after"] = page["next"]

    def post(self, path: str, body: t.Any = None, extra_time: float = 0) -> Answer:
        """POST; may always be repeated: by its key the service knows that it is the same call, and does it once."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return self.call("POST", path, body=body or {}, extra_time=extra_time, headers=key)

    def put(self, path: str, body: t.Any) -> Answer:
        """PUT: replace; may always be repeated."""
        return self.call("PUT", path, body=body)

    def patch(self, path: str, body: t.Any) -> Answer:
        """PATCH: change the given fields; may always be repeated."""
        return self.call("PATCH", path, body=body)

    def delete(self, path: str) -> Answer:
        """DELETE; a thing that is already gone is not an error."""
        try:
            return self.call("DELETE", path)
        except ApiError as exc:
            if exc.status == 404:
                return Answer(404, None, Message())
            raise

    def call(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        query: t.Mapping[str, t.Any] | None = None,
        extra_time: float = 0,
        headers: t.Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call, and again while the service is away (it restarts, say) for up to ``retry_timeout`` seconds.

        :param path: below /api/v1, such as ``/nodes/m1``; see `segment` for names in it
        :param query: parameters; None and "" are left out
        :param extra_time: seconds added to the time limit of the request, for long polls
        :raises ApiError: the API refused; its text is made for people
        :raises Unreachable: there is no answer
        """
        url = f"{self.settings.url}/api/v1{path}"
        given = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        if given:
            url += "?" + urlencode(given, doseq=True)
        deadline = time.monotonic() + self.settings.retry_timeout
        pause = FIRST_PAUSE
        told = False
        while True:
            try:
                return self._once(method, url, body, self.settings.timeout + extra_time, headers)
            except (ApiError, Unreachable) as exc:
                if not _worth_repeating(exc) or time.monotonic() + pause > deadline:
                    raise
                if self._on_retry and not told:
                    limit = self.settings.retry_timeout
                    self._on_retry(f"{self.settings.url} is away ({exc.brief}); trying for {limit} s")
                    told = True
            # Jitter: a hundred plays must not come back in the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _once(
        self, method: str, url: str, body: t.Any, timeout: float, headers: t.Mapping[str, str] | None
    ) -> Answer:
        sent = {
            "Accept": "application/json, application/problem+json",
            "Authorization": f"Bearer {self.settings.token}",
            **(headers or {}),
        }
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = Request(
            http_agent="metalpool.core",
            timeout=timeout,
            validate_certs=self.settings.validate_certs,
            ca_path=self.settings.ca_file,
            follow_redirects="none",  # a redirect could carry the token to another host
            use_netrc=False,  # a line of ~/.netrc must not take the token's place
        )
        call = f"{method} {url}"
        try:
            response = request.open(method, url, data=data, headers=sent)
            return Answer(response.status, _parse(response.read(), call), response.headers)
        except HTTPError as exc:
            if exc.code == 304:
                return Answer(304, None, exc.headers)
            raise problem_of(exc.code, _body(exc), call, self.settings.url) from exc
        except (URLError, OSError, http.client.HTTPException) as exc:
            raise _unreachable(exc, call, self.settings) from exc


def segment(name: str) -> str:
    """Quote a name so that it can stand between two slashes of a path."""
    return quote(str(name), safe="")


def poll(seconds: float | None) -> t.Iterator[float]:
    """Yield the seconds that the next long poll may ask for, until ``seconds`` (None: for ever) are over.

    At least one poll is made. The service sets the pace, but one that answers at once because too many are waiting
    is not asked more often than every `POLL_PACE` seconds.
    """
    started = time.monotonic()
    while True:
        begun = time.monotonic()
        left = POLL_SECONDS if seconds is None else started + seconds - begun
        yield max(1.0, min(POLL_SECONDS, left))
        if seconds is not None and time.monotonic() >= started + seconds:
            return
        time.sleep(max(0.0, begun + POLL_PACE - time.monotonic()))


def _worth_repeating(exc: ApiError | Unreachable) -> bool:
    return exc.status in AWAY if isinstance(exc, ApiError) else exc.passing


def _parse(raw: bytes, call: str) -> t.Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise Unreachable(f"{call} was answered, but not with JSON: is this the Metalpool service?") from exc


def _body(exc: HTTPError) -> bytes:
    try:
        return exc.read()
    except (OSError, http.client.HTTPException):
        return b""


def _unreachable(exc: Exception, call: str, settings: Settings) -> Unreachable:
    """Say what kept the call from being answered, and whether that may pass by itself."""
    reason = exc.reason if isinstance(exc, URLError) and isinstance(exc.reason, Exception) else exc
    if isinstance(reason, ssl.SSLCertVerificationError):
        used = settings.ca_file or "the system's CA certificates"
        return Unreachable(
            f"{call}: the server's certificate was not accepted ({reason.verify_message or reason}), "
            f"checked with {used}. Give the service's CA certificate as ca_file or METALPOOL_CA_FILE.",
            brief="certificate not accepted",
        )
    if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
        return Unreachable(f"{call}: the host name cannot be resolved ({reason}). Check the url.", brief=str(reason))
    return Unreachable(
        f"{call} was not answered: {reason or type(reason).__name__}. Is the service running, and is the url right?",
        brief=str(reason) or type(reason).__name__,
        passing=True,
    )
