"""What granian loads in each process that serves: the application, and on SQLite the engine beside it."""

from __future__ import annotations

import gc
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from apiflask import APIFlask

from inventory_service.api.health import ENGINE
from inventory_service.app import create_app
from inventory_service.config import load
from inventory_service.process import begin
from inventory_service.services import Services
from inventory_service.stream import Streams

if TYPE_CHECKING:
    from inventory_service.engine import Engine


def create() -> APIFlask:
    """The application; called in the process that serves, after the fork."""
    settings = load()
    services = begin(settings)
    engine = _started_engine(services) if settings.is_sqlite else None
    if engine is None:
        Finalize(None, services.changes.close, exitpriority=100)
    app = create_app(services)
    if settings.stream_port:
        Streams(services).start()
    if engine is not None:
        extensions: dict[str, object] = app.extensions
        extensions[ENGINE] = engine
    # What is there now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    # What requests make is gone with them, and a list makes tens of thousands of dictionaries: cycles can wait.
    gc.set_threshold(10_000, 20, 20)
    return app


def _started_engine(services: Services) -> Engine:
    from inventory_service.engine import Engine

    engine = Engine(services)
    engine.start()
    # Before Python waits for the threads of workflows, which wait for the engine to stop.
    Finalize(None, engine.stop, exitpriority=100)
    return engine
