"""The service's API: calls with a token, repeated while the service restarts, lists put together."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from metalpool_cli.errors import Refused, Unreachable

Document = dict[str, Any]
AWAY = (502, 503, 504)
TIMEOUT_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0


class Answer(NamedTuple):
    """An answer: the status, the document (None when there is no body), the headers."""

    status: int
    json: Any
    headers: Mapping[str, str]


Send = Callable[[str, str, Any, Mapping[str, str], float], Answer]


class Api:
    """The API of one service.

    :param send: makes one request: method, URL, document, headers, seconds that it may take
    :param token: bearer token; None asks without one
    :param patience: seconds during which a call is repeated while the service is away
    :param tell: called with a sentence when a call is going to be repeated
    """

    def __init__(self, url: str, send: Send, token: str | None, patience: float, tell: Callable[[str], None]) -> None:
        self.url = url
        self.patience = patience
        self._send = send
        self._token = token
        self._tell = tell

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


def segment(name: str) -> str:
    """A name as it can stand between two slashes of a path."""
    return quote(name, safe="")
