"""Durable workflows: the only file that imports DBOS (pinned; its interface changes between versions).

Every operation is one workflow whose id is the operation's. The workflow's payload is that id and nothing else, the
operation's row is the truth, and every step can be run again: after ``kill -9`` the workflow goes on where it was.
A reconciler starts the workflow of every open operation that has none, so the row alone is enough for it to happen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import select

from inventory_service.config import Settings
from inventory_service.courier import Courier
from inventory_service.db import AWAY, CONNECTIONS
from inventory_service.line import catch_up, watch_offers
from inventory_service.models import Operation
from inventory_service.operations.outcome import conclude
from inventory_service.operations.watch import Verdict, grant_grace, judge, open_operations, take_back
from inventory_service.services import Services
from inventory_service.tag_rules import Keeper
from inventory_service.timekeeping import keep_time, seconds_left

log = logging.getLogger(__name__)
T = TypeVar("T")

APPLICATION_VERSION = "operations-1"
"""Names the shape of the workflow below; another name would strand the workflows that are under way."""
EXECUTOR_ID = "region"
RECONCILE_SECONDS = 5.0
AWAY_SECONDS = 1.0
LINE_SECONDS = 15.0
"""How often the whole line is looked at, for what changed without being offered to it."""
_STUCK = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

_services: Services | None = None
_stopping = threading.Event()


class _Stopping(BaseException):
    """The process ends. It is no Exception, so DBOS records nothing: the workflow stays pending for the next start."""


def _parts() -> Services:
    if _services is None:
        raise RuntimeError("the engine is not started")
    return _services


def _persist(work: Callable[[], T]) -> T:
    """Do it as soon as the database answers. A step that failed is recorded as failed for good; this one just waits."""
    while True:
        try:
            return work()
        except AWAY as error:
            log.error("the database does not answer, the engine tries again: %s", getattr(error, "orig", error))
        if _stopping.wait(AWAY_SECONDS):
            raise _Stopping


@DBOS.step(name="dispatch", retries_allowed=True, max_attempts=8)
def _dispatch(operation_id: str) -> None:
    """Wake the workers of the operation's rack."""
    services = _parts()

    def rack() -> int | None:
        with services.database.read() as session:
            return session.scalar(select(Operation.rack_id).where(Operation.id == operation_id))

    services.changes.announce([f"rack:{_persist(rack)}"])


@DBOS.step(name="await_verdict", retries_allowed=True, max_attempts=8)
def _await_verdict(operation_id: str) -> list[str | int | None]:
    """Wait until something has to be done about the operation."""
    services = _parts()

    def look() -> Verdict:
        with services.database.read() as session:
            return judge(session, services.settings, operation_id)

    while True:
        verdict = _persist(look)
        if verdict.kind != "wait":
            return [verdict.kind, verdict.reason, verdict.epoch]
        if services.changes.closed:
            raise _Stopping
        services.changes.wait_until(
            f"operation:{operation_id}", lambda: None if _persist(look).kind == "wait" else True, verdict.seconds
        )


@DBOS.step(name="take_back", retries_allowed=True, max_attempts=8)
def _take_back(operation_id: str, epoch: int) -> str | None:
    """Take the operation from a silent worker; the answer is why it must fail instead of going on."""
    services = _parts()

    def work() -> str | None:
        with services.database.write() as session:
            return take_back(session, services.settings, operation_id, epoch)

    return _persist(work)


@DBOS.step(name="conclude", retries_allowed=True, max_attempts=8)
def _conclude(operation_id: str, outcome: str, reason: str | None) -> None:
    services = _parts()

    def work() -> None:
        with services.database.write() as session:
            conclude(session, operation_id, outcome, reason)

    _persist(work)


@DBOS.workflow(name="operation", max_recovery_attempts=None)
def _watch_over(operation_id: str) -> str:
    """See one operation through, whatever its worker does."""
    _dispatch(operation_id)
    while True:
        kind, reason, epoch = _await_verdict(operation_id)
        if kind == "ended":
            return operation_id
        if kind == "lost":
            why = _take_back(operation_id, int(epoch or 0))
            if why is None:
                _dispatch(operation_id)
                continue
            kind, reason = "failed", why
        _conclude(operation_id, str(kind), str(reason) if reason else None)
        return operation_id


class Engine:
    """DBOS inside this process, the reconciler, the timekeeper, who keeps tags up to date, and who delivers events.

    One process of a region runs it.
    """

    def __init__(self, services: Services, polling_seconds: float = 5.0) -> None:
        self._services = services
        self._polling_seconds = polling_seconds
        self._watched: set[str] = set()
        self._tags = Keeper(services)
        self._courier = Courier(services)
        self._reconciler = threading.Thread(target=self._reconcile_for_ever, name="reconciler", daemon=True)
        self._timekeeper = threading.Thread(target=self._keep_time_for_ever, name="timekeeper", daemon=True)

    def start(self) -> None:
        """Take up the operations that were under way, and watch for new ones."""
        global _services
        _services = self._services
        _stopping.clear()
        watch_offers(self._services)
        with self._services.database.write() as session:
            grant_grace(session, self._services.settings)
        DBOS(config=_configuration(self._services.settings, self._polling_seconds))
        DBOS.launch()
        self._reconciler.start()
        self._tags.start()
        self._courier.start()
        self._timekeeper.start()

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return self._reconciler.is_alive() and self._timekeeper.is_alive()

    def stop(self) -> None:
        """Let go, at once; what is under way goes on when an engine starts again."""
        _stopping.set()
        self._services.changes.close()
        self._tags.stop()
        self._courier.stop()
        for thread in (self._reconciler, self._timekeeper):
            thread.join(timeout=RECONCILE_SECONDS)

    def close(self) -> None:
        """Let go, and take DBOS down too, so that another engine can start in this process."""
        self.stop()
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def _reconcile_for_ever(self) -> None:
        while not _stopping.is_set():
            try:
                self.reconcile()
                self._services.changes.wait_until(
                    "operations", lambda: True if _stopping.is_set() or self._unwatched() else None, RECONCILE_SECONDS
                )
            except Exception:
                log.exception("the reconciler could not look after the operations; it tries again")
                _stopping.wait(AWAY_SECONDS)

    def _keep_time_for_ever(self) -> None:
        """The clock may jump and another process may write, so the rows are asked every few seconds in any case."""
        look_again = 0.0
        while not _stopping.is_set():
            try:
                keep_time(self._services)
                if time.monotonic() >= look_again:
                    catch_up(self._services)
                    look_again = time.monotonic() + LINE_SECONDS
                self._services.changes.wait_until("due", self._due, self._until_due())
            except Exception:
                log.exception("the timekeeper could not do what is due; it tries again")
                _stopping.wait(AWAY_SECONDS)

    def _until_due(self) -> float:
        with self._services.database.read() as session:
            left = seconds_left(session)
        return RECONCILE_SECONDS if left is None else min(left, RECONCILE_SECONDS)

    def _due(self) -> bool | None:
        return True if _stopping.is_set() or self._until_due() == 0 else None

    def _unwatched(self) -> list[str]:
        with self._services.database.read() as session:
            return [one for one in open_operations(session) if one not in self._watched]

    def reconcile(self) -> None:
        """Give every open operation a workflow that runs; revive those whose workflow broke."""
        with self._services.database.read() as session:
            still_open = open_operations(session)
        self._watched &= set(still_open)
        for operation_id in still_open:
            status = DBOS.get_workflow_status(operation_id)
            if status is None:
                with SetWorkflowID(operation_id):
                    DBOS.start_workflow(_watch_over, operation_id)
            elif status.status in _STUCK:
                log.error("the workflow of operation %s broke (%s); it is taken up again", operation_id, status.status)
                DBOS.resume_workflow(operation_id)
            self._watched.add(operation_id)


def _configuration(settings: Settings, polling_seconds: float) -> DBOSConfig:
    return {
        "name": "metalpool",
        "system_database_url": settings.engine_database,
        "sys_db_pool_size": CONNECTIONS,
        "executor_id": EXECUTOR_ID,
        "application_version": APPLICATION_VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": polling_seconds,
        "scheduler_polling_interval_sec": 300.0,
    }
