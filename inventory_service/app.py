"""The Flask application: blueprints, errors, headers."""

from __future__ import annotations

import re
import uuid
from typing import Any

from apiflask import APIFlask
from flask import Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError

from inventory_service import __version__
from inventory_service.api import (
    accounts,
    allocation_plans,
    allocation_sets,
    allocations,
    audit,
    catalogue,
    errors,
    events,
    health,
    idempotency,
    inventory,
    keys,
    login,
    metrics,
    networks,
    node_details,
    nodes,
    notes,
    observed,
    operations,
    people,
    quotas,
    subnets,
    tags,
    tokens,
    transfer,
    webhooks,
    worker_boots,
    worker_claims,
    worker_evidence,
    worker_progress,
)
from inventory_service.api.answers import Json
from inventory_service.api.authentication import services
from inventory_service.api.idempotency import answer_once
from inventory_service.api.versions import describe_versions, send_version
from inventory_service.api.waiting import open_room
from inventory_service.boot import views as boot
from inventory_service.boot.source import open_limiter
from inventory_service.db import lost_a_race
from inventory_service.line import watch_offers
from inventory_service.pages import views as pages
from inventory_service.problems import Overtaken
from inventory_service.services import Services
from inventory_service.turns import LineTooLong

BLUEPRINTS = (
    nodes.bp,
    node_details.bp,
    allocations.bp,
    notes.bp,
    allocation_plans.bp,
    allocation_sets.bp,
    operations.bp,
    worker_claims.bp,
    worker_progress.bp,
    worker_boots.bp,
    worker_evidence.bp,
    catalogue.bp,
    networks.bp,
    subnets.bp,
    inventory.bp,
    transfer.bp,
    keys.bp,
    people.bp,
    tokens.bp,
    login.bp,
    accounts.bp,
    tags.bp,
    events.bp,
    audit.bp,
    boot.bp,
    quotas.bp,
    pages.bp,
    health.bp,
    metrics.bp,
    webhooks.bp,
)

_TAGS = ("Nodes", "Allocations", "Operations", "Worker", "Catalogue", "Networks", "Inventory", "Users", "Events", "Boot")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
_PUBLIC_PATHS = ("/boot/", "/api/v1/login")


_TRIES = 3


class _Application(APIFlask):
    """Lets requests run by turns, first come, first served; runs a view again when its transaction lost a race: nothing
    of it was kept, and now it sees the winner's.
    """

    def full_dispatch_request(self) -> Response:
        observed.begin()
        try:
            with services().running.turn():
                return super().full_dispatch_request()
        except LineTooLong as error:
            return self.finalize_request(self.handle_user_exception(error))

    def dispatch_request(self) -> ResponseReturnValue:
        for unused in range(_TRIES - 1):
            try:
                return answer_once(super().dispatch_request)
            except Overtaken:
                continue
            except DBAPIError as error:
                if not lost_a_race(error):
                    raise
        return answer_once(super().dispatch_request)


def create_app(services: Services) -> APIFlask:
    """The application on its services; it starts no threads."""
    app = _Application(
        __name__, title="Metalpool inventory service", version=__version__, docs_path=None, spec_path="/openapi.json"
    )
    app.json = Json(app)
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_OPERATION_ID=True,
        MAX_CONTENT_LENGTH=16 * 1024 * 1024,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.tags = [{"name": name} for name in _TAGS]
    app.security_schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-metalpool", "description": "changes need the header X-CSRF-Token"},
    }
    extensions: dict[str, object] = app.extensions
    extensions["metalpool"] = services
    watch_offers(services)
    open_room(extensions, services.settings.long_polls)
    open_limiter(extensions, services)
    errors.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.before_request(_name_request)
    app.after_request(observed.observe)
    app.after_request(_add_headers)
    app.after_request(send_version)
    app.spec_processor(lambda spec: errors.describe(describe_versions(app, _complete(spec))))
    return app


def _name_request() -> None:
    said = request.headers.get("X-Request-ID", "")
    g.request_id = said if _REQUEST_ID.fullmatch(said) else uuid.uuid4().hex


def _add_headers(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _complete(spec: Any) -> Any:
    return idempotency.describe(_secure(spec))


def _secure(spec: Any) -> Any:
    """Say in the API's document that everything but the boot endpoints needs a token."""
    for path, methods in spec["paths"].items():
        for operation in methods.values():
            if isinstance(operation, dict) and not path.startswith(_PUBLIC_PATHS):
                operation["security"] = [{"token": []}, {"session": []}]
    return spec
