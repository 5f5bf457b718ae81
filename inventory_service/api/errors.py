"""Every error is a problem document (RFC 9457) with the request's id; none shows the inside of the service."""

from __future__ import annotations

import logging
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Request, Response, g, json, request
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as UrlNotFound

from inventory_service.db import AWAY
from inventory_service.problems import Conflict, Malformed, NotJson, Problem, Unavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_SECRET_WORDS = ("password", "token", "nonce", "secret", "credentials", "user_data", "current")
_UNKNOWN = "extra_forbidden"
"""Of a member that is not known nobody knows what is in it: the name of a secret may be misspelled."""


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
            **({} if one["type"] == _UNKNOWN else _shown(field, one.get("input"))),
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


def _of_http_error(error: HTTPException) -> dict[str, Any]:
    """What Flask itself refuses, in the words of this API."""
    status = error.code or 500
    body = {"type": "about:blank", "title": error.name, "status": status, "detail": error.description or error.name}
    if isinstance(error, UrlNotFound):
        return body | {
            "type": "not-found",
            "title": "There is no such thing",
            "detail": f"there is nothing at {request.path}; /openapi.json says what there is",
            "field": "path",
            "value": request.path,
        }
    if isinstance(error, MethodNotAllowed):
        allowed = sorted(error.valid_methods or ())
        return body | {
            "type": "method-not-allowed",
            "detail": f"{request.method} is not possible here; possible: {', '.join(allowed)}",
            "field": "method",
            "value": request.method,
            "allowed": allowed,
        }
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length
        return body | {"type": "too-large", "detail": f"a request has at most {limit} bytes", "allowed": limit}
    return body


class JsonRequest(Request):
    """A request whose body, if it needs one, is JSON and says so. (Nodes that boot need not say so.)"""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body.

        :raises NotJson: it is said to be something else
        """
        if self.path.startswith("/api/") and not self.is_json and self.get_data():
            raise NotJson(
                "the body has to be JSON: send the header Content-Type: application/json",
                field="Content-Type",
                value=self.content_type,
                allowed=["application/json"],
            )
        return super().get_json(force, silent, cache)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Refuse the body, and say where it is wrong."""
        raise Malformed(f"the body is not JSON: {e}", field="(body)")


def describe(spec: Any) -> Any:
    """Say in the API's document that every error is a problem document."""
    texts = {"type": "string"}
    anything: dict[str, Any] = {}
    spec["components"]["schemas"]["Problem"] = {
        "type": "object",
        "description": "RFC 9457. Further members depend on the type.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": texts,
            "title": texts,
            "status": {"type": "integer"},
            "detail": texts,
            "field": texts,
            "value": anything,
            "allowed": anything,
            "errors": {"type": "array", "items": {"type": "object"}},
            "request_id": texts,
        },
    }
    for name in ("HTTPError", "ValidationError"):
        spec["components"]["schemas"].pop(name, None)
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in spec["paths"].values():
        for operation in methods.values():
            if not isinstance(operation, dict):
                continue
            answers = operation["responses"]
            for status, answer in answers.items():
                if status >= "4":
                    answer["content"] = content
            answers["default"] = {"description": "Any other problem.", "content": content}
    return spec


def register(app: APIFlask) -> None:
    """Make the application answer all errors this way."""
    app.request_class = JsonRequest

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
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location", "Retry-After")}
        body = _of_http_error(error) | {"request_id": g.get("request_id")}
        return _answer(body, body["status"], headers)

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
