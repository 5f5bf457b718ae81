"""What granian loads in each process that serves: the application, and on SQLite the engine beside it."""

from __future__ import annotations

import gc
from multiprocessing.util import Finalize

from apiflask import APIFlask

from inventory_service.app import create_app
from inventory_service.config import load
from inventory_service.process import begin
from inventory_service.services import Services


def create() -> APIFlask:
    """The application; called in the process that serves, after the fork."""
    settings = load()
    services = begin(settings)
    if settings.is_sqlite:
        _start_engine(services)
    else:
        Finalize(None, services.changes.close, exitpriority=100)
    app = create_app(services)
    # What is there now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    # What requests make is gone with them, and a list makes tens of thousands of dictionaries: cycles can wait.
    gc.set_threshold(10_000, 20, 20)
    return app


def _start_engine(services: Services) -> None:
    from inventory_service.engine import Engine

    engine = Engine(services)
    engine.start()
    # Before Python waits for the threads of workflows, which wait for the engine to stop.
    Finalize(None, engine.stop, exitpriority=100)
