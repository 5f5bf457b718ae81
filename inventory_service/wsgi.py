"""What granian loads in the process that serves: the application, and the engine beside it."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
from multiprocessing.util import Finalize

from apiflask import APIFlask

from inventory_service.app import create_app
from inventory_service.config import load
from inventory_service.engine import Engine
from inventory_service.services import open_upgraded

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Ask Linux to end this process when its supervisor dies: nobody else would, and the port would stay taken."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def create() -> APIFlask:
    """The application with its engine; called in the process that serves, after the fork."""
    _die_with_parent()
    settings = load()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    services = open_upgraded(settings)
    engine = Engine(services)
    engine.start()
    # Before Python waits for the threads of workflows, which wait for the engine to stop.
    Finalize(None, engine.stop, exitpriority=100)
    app = create_app(services)
    # What is there now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    # What requests make is gone with them, and a list makes tens of thousands of dictionaries: cycles can wait.
    gc.set_threshold(10_000, 20, 20)
    return app
