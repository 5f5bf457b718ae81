"""Whether the process answers, and whether the service can do its work: for supervisors and load balancers, without a token."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from sqlalchemy import text
from sqlalchemy.orm import Session

from inventory_service import __version__
from inventory_service.api.authentication import by_other, services
from inventory_service.db import newest_revision, revision_of, side_by_side
from inventory_service.postgresql import is_held
from inventory_service.problems import Unavailable

ENGINE = "metalpool engine"
"""Where the process keeps its engine, when it has one, so that it can be asked whether it lives."""

bp = APIBlueprint("health", __name__, enable_openapi=False)
by_other(bp, "nothing", "who watches the service has no token, and learns nothing of what is in it")


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> dict[str, str]:
    """The database answers, its tables are those that this version knows, and the engine sees operations through."""
    database = services().database
    with database.read() as session:
        session.execute(text("SELECT 1"))
        alive = engine_alive(session)
    found, newest = revision_of(database.engine), newest_revision()
    if found != newest:
        raise Unavailable(f"the database stands at revision {found}, not {newest}: run inventory-service db upgrade")
    if alive is False:
        raise Unavailable("the engine does not run, so no operation ends: the log says why; serve starts it again by itself")
    return {"status": "ready", "revision": str(found), "version": __version__}


def engine_alive(session: Session) -> bool | None:
    """Whether the region's engine runs; None when nobody here knows, as in a process on SQLite that was started without."""
    engine = current_app.extensions.get(ENGINE)
    if engine is not None:
        return bool(engine.alive)
    return is_held(session, "engine") if side_by_side(session) else None
