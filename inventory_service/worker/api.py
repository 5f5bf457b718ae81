"""The worker's calls to the service: HTTPS with a verified CA, one bearer token, and patience while the service restarts."""

import json
from pathlib import Path
from typing import Any

import urllib3


class StaleEpoch(Exception):
    """Another attempt holds the operation now; whoever sees this stops at once."""


class ApiError(Exception):
    """The service refused a request.

    :param status: HTTP status code.
    :param detail: the problem document's own words (RFC 9457).
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status


class Api:
    """Requests of one worker.

    :param url: root of the service, for example ``https://pool.example:8443``.
    :param token_file: file that holds the worker's token and nothing else.
    :param ca_file: CA certificate (PEM) that signed the service's certificate.
    """

    def __init__(self, url: str, token_file: Path, ca_file: Path | None) -> None:
        self.root = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token_file.read_text().strip()}", "Accept": "application/json"}
        self._http = urllib3.PoolManager(
            maxsize=4,
            ca_certs=str(ca_file) if ca_file else None,
            retries=urllib3.Retry(total=40, connect=40, read=40, status=40, backoff_factor=0.2, backoff_max=5,
                                  status_forcelist=(502, 503, 504), allowed_methods=None, raise_on_status=False),
        )

    def post(self, path: str, body: dict[str, Any], *, timeout: float = 30.0) -> Any:
        """Answer of ``POST path``: the decoded document, or None for 204.

        Every call is safe to repeat: the service recognises the epoch, and a claim that was never answered loses
        its lease and is handed out again.

        :param timeout: seconds that the service may take, long polls included.
        :raises StaleEpoch: the operation has moved on to a newer epoch or has ended.
        :raises ApiError: any other refusal.
        """
        response = self._http.request("POST", self.root + path, body=json.dumps(body), timeout=timeout,
                                      headers=self._headers | {"Content-Type": "application/json"})
        if response.status == 204:
            return None
        document = json.loads(response.data) if response.data else {}
        if response.status == 409 and str(document.get("type", "")).endswith(("stale-epoch", "operation-ended")):
            raise StaleEpoch(document.get("detail", ""))
        if response.status >= 400:
            raise ApiError(response.status, document.get("detail") or document.get("title") or "no reason given")
        return document
