"""Run the service: granian in front of the processes that serve, and on PostgreSQL the engine's process beside them."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from inventory_service.config import Settings, SettingsError
from inventory_service.shared_metrics import share
from inventory_service.supervised import supervise

log = logging.getLogger(__name__)
_ENGINE = (sys.executable, "-P", "-m", "inventory_service", "engine")
_AT_ONCE = 5.0
"""Seconds that an engine must have run to be started again without a pause."""


def serve(settings: Settings) -> None:
    """Serve until told to stop. The application is imported in the processes that are started only."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    if not settings.vault_key_file.exists():
        raise SettingsError(f"{settings.state_dir} is not prepared: run inventory-service init")
    supervise()
    if not settings.is_sqlite:
        share(settings.metrics_dir)
    server = Granian(
        "inventory_service.wsgi:create",
        factory=True,
        address=settings.listen_address,
        port=settings.listen_port,
        interface=Interfaces.WSGI,
        workers=settings.processes,
        blocking_threads=settings.request_threads,
        backpressure=max(128, settings.request_threads * 2),
        ssl_cert=settings.tls_dir / "server.crt" if settings.tls else None,
        ssl_key=settings.tls_dir / "server.key" if settings.tls else None,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=10,
        websockets=False,
        log_level=LogLevels(settings.log_level if settings.log_level != "warning" else "warn"),
    )
    if not settings.is_sqlite:
        engine = _EngineKeeper()
        server.on_startup(engine.start)
        server.on_shutdown(engine.stop)
    server.serve()


class _EngineKeeper(threading.Thread):
    """Starts the engine's process, and another one whenever it ends.

    The process ends with the thread that started it, so this one lives as long as the supervisor.
    """

    def __init__(self) -> None:
        super().__init__(name="engine", daemon=True)
        self._stopping = threading.Event()
        self._pid: int | None = None

    def run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            # Not subprocess: a process that serves may be forked at this moment, and would keep the pipe open that it waits on.
            self._pid = os.posix_spawn(_ENGINE[0], _ENGINE, os.environ)
            if self._stopping.is_set():
                self._end()
            unused, status = os.waitpid(self._pid, 0)
            if not self._stopping.is_set():
                log.error("the engine's process ended (%s), another one is started", os.waitstatus_to_exitcode(status))
                self._stopping.wait(0.0 if time.monotonic() - began > _AT_ONCE else 1.0)

    def stop(self) -> None:
        """End it; what is under way goes on when one starts again."""
        self._stopping.set()
        self._end()
        self.join()

    def _end(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
