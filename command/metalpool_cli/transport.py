"""HTTPS: one kept connection, and a verified certificate. The only file that imports urllib3, which takes longest to load."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import urllib3

from metalpool_cli import __version__
from metalpool_cli.api import Answer
from metalpool_cli.errors import Unreachable


class Transport:
    """Sends requests.

    :param ca_file: CA certificates (PEM) to check servers with; None for the system's
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._http = urllib3.PoolManager(ca_certs=ca_file, retries=False)

    def send(self, method: str, url: str, body: Any, headers: Mapping[str, str], timeout: float) -> Answer:
        """Make one request, once.

        :raises Unreachable: there is no answer, or none that this service gives
        """
        sent = dict(headers) | {"User-Agent": f"metalpool/{__version__}"}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            # A redirect could carry the token to another host.
            answer = self._http.request(method, url, body=data, headers=sent, timeout=timeout, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error, f"{method} {url}", self._ca_file) from error
        try:
            document = json.loads(answer.data) if answer.data else None
        except ValueError as error:
            if answer.status < 300:
                call = f"{method} {url}"
                raise Unreachable(f"{call} was answered, but not with JSON: is this the Metalpool service?", "no JSON") from error
            document = None
        return Answer(answer.status, document, answer.headers)


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
