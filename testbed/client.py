"""A small client of the API for the demo, the tests and the benchmarks."""

import json
import time
from pathlib import Path
from typing import Any

import urllib3


class Refused(Exception):
    """The service answered with a problem document (RFC 9457), which is kept in ``problem``."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title')}: {problem.get('detail')}")
        self.status = status
        self.problem = problem


class Client:
    """Requests with one token."""

    def __init__(self, url: str, token: str, ca_file: Path) -> None:
        self.root = url + "/api/v1"
        self._http = urllib3.PoolManager(ca_certs=str(ca_file), retries=False, maxsize=8)
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None, timeout: float = 40) -> Any:
        """The decoded answer, or None when it is empty.

        :raises Refused: status 400 and above.
        """
        answer = self._http.request(method, self.root + path, json=body, headers=self._headers, timeout=timeout)
        document = json.loads(answer.data) if answer.data else None
        if answer.status >= 400:
            raise Refused(answer.status, document or {})
        return document

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body if body is not None else {})

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def wait_operation(self, operation: str, seconds: float, on_change: Any = None) -> dict[str, Any]:
        """The operation once it has ended.

        :param on_change: called with the operation whenever it has changed.
        :raises TimeoutError: it has not ended within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        revision = -1
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.get(f"/operations/{operation}?wait=20&after={revision}")
            if found["revision"] != revision and on_change:
                on_change(found)
            revision = found["revision"]
            if found["state"] not in ("queued", "running"):
                return found
        raise TimeoutError(f"operation {operation} has not ended within {seconds} s: {found['state']}, step {found['step']}")

    def wait_node(self, name: str, states: set[str], seconds: float) -> dict[str, Any]:
        """The node once it is in one of ``states``.

        :raises TimeoutError: it is in none of them within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while True:
            node: dict[str, Any] = self.get(f"/nodes/{name}")
            if node["state"] in states:
                return node
            if time.monotonic() > deadline:
                raise TimeoutError(f"node {name} is {node['state']}, not {' or '.join(sorted(states))}, after {seconds} s")
            time.sleep(0.5)
