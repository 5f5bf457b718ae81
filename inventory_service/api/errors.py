"""Every error is a problem document (RFC 9457) with the request's id; none shows the inside of the service."""

from __future__ import annotations

import logging
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, g, json
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException

from inventory_service.db import AWAY
from inventory_service.problems import Conflict, Problem, Unavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_SECRET_WORDS = ("password", "token", "nonce", "secret", "credentials", "user_data")


def _answer(document: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(json.dumps(document), status=status, content_type=CONTENT_TYPE)
    response.headers.update(headers or {})
    return response


def problem_response(problem: Problem) -> Response:
    """The answer for a problem."""
    headers: dict[str, str] = {}
    if "retry_after" in problem.extensions:
        headers["Retry-After"] = str(problem.extensions["retry_after"])
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="metalpool"'
    return _answer(problem.document(g.get("request_id")), problem.status, headers)


def _shown(field: str, value: Any) -> dict[str, Any]:
    secret = any(word in field.lower() for word in _SECRET_WORDS)
    return {} if secret or not isinstance(value, (str, int, float, bool, type(None))) else {"value": value}


def _of_validation(error: ValidationError) -> dict[str, Any]:
    errors = [
        {
            "field": field,
            **_shown(field, one.get("input")),
            "detail": one["msg"],
            **({"allowed": one["ctx"]["expected"]} if "expected" in one.get("ctx", {}) else {}),
        }
        for one in error.errors(include_url=False)
        for field in [".".join(str(part) for part in one["loc"]) or "(body)"]
    ]
    first = errors[0]
    return {
        "type": "invalid",
        "title": "A value is not acceptable",
        "status": 422,
        "detail": "; ".join(f"{one['field']}: {one['detail']}" for one in errors),
        **{name: first[name] for name in ("field", "value", "allowed") if name in first},
        "errors": errors,
    }


def register(app: APIFlask) -> None:
    """Make the application answer all errors this way."""

    @app.error_processor
    def _of_apiflask(error: HTTPError) -> Response:
        if isinstance(error.__cause__, ValidationError):
            body = _of_validation(error.__cause__)
        else:
            body = {
                "type": "about:blank",
                "title": str(error.message),
                "status": error.status_code,
                "detail": str(error.message),
            }
        return _answer(body | {"request_id": g.get("request_id")}, int(body["status"]))

    @app.errorhandler(ValidationError)
    def _of_model(error: ValidationError) -> Response:
        return _answer(_of_validation(error) | {"request_id": g.get("request_id")}, 422)

    @app.errorhandler(Problem)
    def _of_problem(problem: Problem) -> Response:
        return problem_response(problem)

    @app.errorhandler(HTTPException)
    def _of_http(error: HTTPException) -> Response:
        body = {
            "type": "about:blank",
            "title": error.name,
            "status": error.code or 500,
            "detail": error.description or error.name,
            "request_id": g.get("request_id"),
        }
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location", "Retry-After")}
        return _answer(body, error.code or 500, headers)

    def _of_database(error: Exception) -> Response:
        # What the driver says, in one line: while the database is away, every request ends here.
        log.error("request %s: the database does not answer: %s", g.get("request_id"), getattr(error, "orig", error))
        return problem_response(Unavailable("the database does not answer: try again", retry_after=2))

    for kind in AWAY:
        app.register_error_handler(kind, _of_database)

    @app.errorhandler(IntegrityError)
    def _of_race(error: IntegrityError) -> Response:
        log.error("request %s: %s", g.get("request_id"), error.orig)
        return problem_response(Conflict("another request changed the same thing just now: read it again"))

    @app.errorhandler(Exception)
    def _of_anything(error: Exception) -> Response:
        log.exception("request %s failed", g.get("request_id"))
        return problem_response(Problem("something went wrong inside the service; its log names the request"))
