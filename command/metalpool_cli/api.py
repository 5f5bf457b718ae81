"""Requests to the service: one kept connection, a verified certificate, and patience while the service restarts."""

from __future__ import annotations

import json
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from metalpool_cli import __version__
from metalpool_cli.errors import Refused, Unreachable
from metalpool_cli.settings import Settings

Document = dict[str, Any]
AWAY = (502, 503, 504)
TIMEOUT_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0


@dataclass(frozen=True)
class Answer:
    """An answer: the status, the document (None when there is no body), the headers."""

    status: int
    json: Any
    headers: Mapping[str, str]


class Api:
    """The API of one service.

    :param token: bearer token; None asks without one
    :param patience: seconds during which a call is repeated while the service is away
    :param tell: called with a sentence when a call is going to be repeated
    """

    def __init__(self, settings: Settings, token: str | None, patience: float, tell: Callable[[str], None]) -> None:
        self.url = settings.url
        self.ca_file = settings.ca_file
        self.patience = patience
        self._tell = tell
        self._token = token
        self._http = urllib3.PoolManager(ca_certs=self.ca_file, retries=False)

    def get(self, path: str, wait: float = 0, **query: Any) -> Any:
        """GET; ``wait`` seconds are asked of the service as a long poll."""
        return self.call("GET", path, query=query | ({"wait": round(wait, 1)} if wait else {}), extra=wait).json

    def find(self, path: str, **query: Any) -> Any:
        """GET one thing; None when there is no such thing."""
        try:
            return self.get(path, **query)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    def items(self, path: str, **query: Any) -> Iterator[Document]:
        """GET a list, part after part."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page.get("next"):
                return
            query["after"] = page["next"]

    def post(self, path: str, body: Any = None, key: str | None = None) -> Answer:
        """POST; repeated safely, because by its key the service knows that it is the same request, and does it once."""
        return self.call("POST", path, body=body or {}, headers={"Idempotency-Key": key or str(uuid.uuid4())})

    def put(self, path: str, body: Any) -> Any:
        return self.call("PUT", path, body=body).json

    def patch(self, path: str, body: Any) -> Any:
        return self.call("PATCH", path, body=body).json

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path).json

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: float = 0,
    ) -> Answer:
        """Make one call, and again while the service is away.

        :param path: below /api/v1; see `segment` for names in it
        :param query: parameters; None and "" are left out
        :param extra: seconds that the answer may take besides, for long polls
        :raises Refused: the service said no
        :raises Unreachable: there is no answer
        """
        url = f"{self.url}/api/v1{path}"
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        url += f"?{urlencode(given)}" if given else ""
        deadline, pause, told = time.monotonic() + self.patience, FIRST_PAUSE, False
        while True:
            try:
                return self._once(method, url, body, headers or {}, TIMEOUT_SECONDS + extra)
            except (Refused, Unreachable) as failure:
                may_pass = failure.status in AWAY if isinstance(failure, Refused) else failure.passing
                if not may_pass or time.monotonic() + pause > deadline:
                    raise
                if not told:
                    self._tell(f"{self.url} is away ({failure.brief}); trying for {self.patience:.0f} s")
                    told = True
            # Jitter: a hundred scripts must not come back in the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)

    def raw(self, path: str, timeout: float = TIMEOUT_SECONDS) -> Answer:
        """One GET of a path of the whole service, without token and without patience."""
        return self._send("GET", self.url + path, None, {}, timeout)

    def _once(self, method: str, url: str, body: Any, headers: Mapping[str, str], timeout: float) -> Answer:
        sent = dict(headers) | {"Accept": "application/json, application/problem+json"}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        answer = self._send(method, url, body, sent, timeout)
        if answer.status < 300:
            return answer
        problem = answer.json
        if not isinstance(problem, dict):
            problem = {"title": f"HTTP status {answer.status} without a reason; {self.url} may not be the Metalpool service"}
        raise Refused(answer.status, problem, f"{method} {url}")

    def _send(self, method: str, url: str, body: Any, headers: Mapping[str, str], timeout: float) -> Answer:
        sent = dict(headers) | {"User-Agent": f"metalpool/{__version__}"}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            # A redirect could carry the token to another host.
            answer = self._http.request(method, url, body=data, headers=sent, timeout=timeout, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error, f"{method} {url}", self.ca_file) from error
        try:
            document = json.loads(answer.data) if answer.data else None
        except ValueError as error:
            if answer.status < 300:
                call = f"{method} {url}"
                raise Unreachable(f"{call} was answered, but not with JSON: is this the Metalpool service?", "no JSON") from error
            document = None
        return Answer(answer.status, document, answer.headers)


def segment(name: str) -> str:
    """A name as it can stand between two slashes of a path."""
    return quote(name, safe="")


def _unreachable(error: Exception, call: str, ca_file: str | None) -> Unreachable:
    """What kept the call from being answered, and whether that may pass by itself."""
    cause = error.args[0] if isinstance(error, urllib3.exceptions.SSLError) and error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"{call}: the server's certificate was not accepted ({cause.verify_message or cause}), checked with "
            f"{ca_file or 'the CA certificates of this system'}. Give the service's CA certificate as ca_file, "
            "METALPOOL_CA_FILE or --ca-file.",
            "certificate not accepted",
        )
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return Unreachable(f"{call}: the host name cannot be resolved. Check the url.", "no such host")
    brief = str(error).rsplit(": ", 1)[-1]
    return Unreachable(f"{call} was not answered: {brief}. Is the service running, and is the url right?", brief, passing=True)
