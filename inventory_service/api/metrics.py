"""``/metrics``: for Prometheus, with a token whose role is ``metrics`` (it opens nothing else), and for administrators."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from inventory_service.api.authentication import by_token, needs, services
from inventory_service.api.health import engine_alive
from inventory_service.figures import figures
from inventory_service.metrics import CONTENT_TYPE, exposition

bp = APIBlueprint("metrics", __name__, enable_openapi=False)
by_token(bp, "admin", "metrics")


@bp.get("/metrics")
@needs("anyone")
def show_metrics() -> Response:
    """Everything that is measured, in Prometheus' text format."""
    with services().database.read() as session:
        now = figures(session, engine_alive=engine_alive(session))
    return Response(exposition(now), content_type=CONTENT_TYPE)
