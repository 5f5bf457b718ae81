"""What each request leaves behind: a count, its seconds, and one line in the log. Its query and its path's values are not
among it: what boot endpoints are called with is a secret.
"""

from __future__ import annotations

import logging
import time

from flask import Response, g, request

from inventory_service.auth import Caller
from inventory_service.metrics import REQUEST_SECONDS, REQUESTS

log = logging.getLogger("metalpool.request")
_UNKNOWN = "(none)"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def begin() -> None:
    """The request has come."""
    g.began = time.monotonic()


def seconds() -> float:
    """Since the request came."""
    began: float = g.began
    return time.monotonic() - began


def observe(response: Response) -> Response:
    """The request is answered."""
    route = request.url_rule.rule if request.url_rule else _UNKNOWN
    method = request.method if request.method in _METHODS else _UNKNOWN
    took = seconds()
    REQUESTS.labels(method, route, response.status_code).inc()
    REQUEST_SECONDS.labels(method, route).observe(took)
    if log.isEnabledFor(logging.INFO):
        caller = g.get("caller")
        log.info(
            "%s %s %s",
            method,
            route,
            response.status_code,
            extra={
                "request_id": g.get("request_id"),
                "user": caller.user if isinstance(caller, Caller) else None,
                "method": method,
                "route": route,
                "status": response.status_code,
                "seconds": round(took, 6),
                "source": request.remote_addr,
            },
        )
    return response
