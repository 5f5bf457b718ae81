"""The header Idempotency-Key: a POST that comes twice is done once, and both are answered the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import HTTPError
from flask import Blueprint, Response, current_app, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from inventory_service import idempotency
from inventory_service.api.authentication import authentication_of, services
from inventory_service.auth import Caller
from inventory_service.idempotency import HEADER, Stored
from inventory_service.problems import Problem

REPLAYED = "Idempotency-Replayed"


def answer_once(view: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Answer a request, or give the answer again that the same request with the same key got before.

    What the view writes is one transaction with the answer. A refusal is not kept: nothing was done, and the same
    request may succeed later. Workers' reports carry an epoch instead: they need no key.

    Most requests come once. So the key is taken with the first thing that the view writes; only when it is taken already,
    or nothing was written, it is looked for.
    """
    who, key = g.get("caller"), request.headers.get(HEADER)
    if request.method != "POST" or key is None or not isinstance(who, Caller) or _is_a_workers(request.blueprint or ""):
        return view()
    parts, key = services(), idempotency.check_key(key)
    settings, vault = parts.settings, parts.vault
    this = idempotency.fingerprint(request.full_path.encode(), request.get_data())
    is_new = False

    def take(session: Session) -> None:
        nonlocal is_new
        idempotency.begin(session, settings, who.user_id, key, this)
        is_new = True

    def answered_before() -> Response | None:
        if is_new:
            return None
        with parts.database.look() as connection:
            before = idempotency.stored_answer(connection, settings, vault, who.user_id, key, this)
        if before is None:
            return None
        return Response(before.body or None, before.status, {REPLAYED: "true"}, content_type="application/json")

    try:
        with parts.database.unit(take) as unit:
            response = make_response(view())
            if unit.session is not None:
                answer = Stored(response.status_code, response.get_data(as_text=True))
                idempotency.keep(unit.session, vault, who.user_id, key, answer)
    except (Problem, HTTPError):
        again = answered_before()
        if again is None:
            raise
        return again
    return answered_before() or response


def _is_a_workers(name: str) -> bool:
    blueprint = current_app.blueprints.get(name)
    declared = authentication_of(blueprint) if isinstance(blueprint, Blueprint) else None
    return declared is not None and "user" not in declared.roles and "worker" in declared.roles


def describe(spec: Any) -> Any:
    """Say in the API's document that every POST but the workers' takes the header."""
    parameter = {
        "in": "header",
        "name": HEADER,
        "required": False,
        "schema": {"type": "string", "maxLength": 200},
        "description": "The same request with the same key is done once; its answer is given again.",
    }
    for path, methods in spec["paths"].items():
        if path.startswith("/api/") and "post" in methods and "Worker" not in methods["post"].get("tags", []):
            methods["post"].setdefault("parameters", []).append(parameter)
    return spec
