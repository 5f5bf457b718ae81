"""The engine in a process of its own, beside those that serve: how it runs on PostgreSQL.

There is exactly one, however many are started: it runs while its process holds a lock of the database, and the process ends
with the connection that holds it. ``serve`` then starts another one. It may end at any moment, so no signal is caught.
"""

from __future__ import annotations

import logging
import os
import signal
from select import select

from inventory_service.config import Settings
from inventory_service.engine import Engine
from inventory_service.postgresql import hold_alone
from inventory_service.process import begin

log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Be the engine as soon as nobody else is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor ends this process itself
    try:
        services = begin(settings)
        with hold_alone(settings.database, "engine") as held:
            Engine(services).start()
            while True:
                select([held], [], [])
                held.pgconn.consume_input()
    except Exception:
        log.exception("the engine ends, and is started again")
    finally:
        os._exit(1)  # its threads may not go on: another engine may be running already
