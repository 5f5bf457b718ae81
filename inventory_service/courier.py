"""Delivers events to webhooks, beside the engine: in order of their numbers first, each again and again until it is taken.

Rows are the truth: which events are for whom is written down before anything is sent, so nothing is lost when the process
dies, and a delivery that was under way is made again. A receiver knows an event by its id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import joinedload

from inventory_service import __version__, clock
from inventory_service.auth import Caller
from inventory_service.db import after
from inventory_service.documents.event import event_document
from inventory_service.metrics import WEBHOOK_DELIVERIES
from inventory_service.models import Event, Webhook, WebhookDelivery
from inventory_service.news import AT_ONCE, Horizon, news
from inventory_service.outbound import Outbound, Unreachable
from inventory_service.problems import Invalid
from inventory_service.services import Services
from inventory_service.vault import Vault
from inventory_service.webhooks import outbound_of

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
PAUSES = (10, 60, 300, 1800, 7200, 21600, 43200)
"""Seconds until it is tried again, after each failure; after the last it is given up, a day after the event."""
KEPT = timedelta(days=30)
"""How long the log of deliveries goes back."""
_SWEEP_EVERY = 3600
_SIDE_BY_SIDE, _SEND_AT_ONCE = 4, 100
"""So many webhooks at the same time, and so many events of each before one looks again."""
_EVERYTHING = Caller(0, "webhooks", "admin", token_id=0)
"""Webhooks are made by administrators, who see all events."""


@dataclass(frozen=True)
class _Parcel:
    """What is sent, whole, so that nothing is asked of the database meanwhile."""

    id: int
    url: str
    body: bytes
    headers: dict[str, str]


def sign(secret: str, moment: int, body: bytes) -> str:
    """The signature of a body sent at that moment (seconds since 1970): who repeats it later has another moment."""
    mac = hmac.new(secret.encode(), str(moment).encode() + b"." + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


class Courier:
    """The thread that delivers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._horizon = Horizon()
        self._looks = 0

    def start(self) -> None:
        """Take up what was left to do, and go on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is under way is made again by the next."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.work()
            except Exception:
                log.exception("webhooks could not be served; it is tried again")

    def work(self) -> None:
        """Write down what is new for whom, and send what is due."""
        self._looks += 1
        if self._looks % _SWEEP_EVERY == 1:
            self._sweep()
        with self._services.database.read() as session:
            hooks = session.scalars(select(Webhook.id).where(Webhook.enabled)).all()
            if not hooks:
                return
            upto = self._horizon.look(session)
        with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(hooks)), thread_name_prefix="courier") as senders:
            list(senders.map(lambda one: self._serve(one, upto), hooks))

    def _serve(self, hook_id: int, upto: int) -> None:
        """One webhook, in order; one that does not answer is left alone until the next look, and keeps nobody else waiting."""
        try:
            while self._write_down(hook_id, upto) == AT_ONCE:
                pass
            for parcel in self._due(hook_id):
                if self._stop.is_set() or not self._send(parcel):
                    return
        except Exception:
            log.exception("webhook number %s could not be served; it is tried again", hook_id)

    def _write_down(self, hook_id: int, upto: int) -> int:
        """Make the deliveries of the next events for a webhook; how many they are."""
        with self._services.database.read() as session:
            passed = session.scalar(select(Webhook.passed).where(Webhook.id == hook_id))
        if passed is None or passed >= upto:
            return 0
        with self._services.database.write() as session:
            hook = session.scalar(select(Webhook).where(Webhook.id == hook_id, Webhook.enabled).with_for_update())
            if hook is None:
                return 0
            try:
                events = news(session, _EVERYTHING, hook.passed, upto, hook.filter)
            except Invalid as problem:
                log.error("webhook %s gets nothing: %s", hook.name, problem.detail)
                return 0
            now = clock.now()
            rows = [{"webhook_id": hook.id, "event_id": one.id, "kind": one.kind, "due_at": now, "created_at": now} for one in events]
            if rows:
                session.execute(insert(WebhookDelivery), rows)
            # Past the session: how far it got is no change that anybody sees, so its version stays.
            session.connection().execute(
                Webhook.__table__.update()  # type: ignore[attr-defined]
                .where(Webhook.id == hook.id)
                .values(passed=events[-1].id if len(events) == AT_ONCE else upto)
            )
            return len(events)

    def _due(self, hook_id: int) -> list[_Parcel]:
        query = (
            select(WebhookDelivery, Event)
            .join(Event, Event.id == WebhookDelivery.event_id)
            .where(WebhookDelivery.state == "pending", WebhookDelivery.due_at <= clock.now(), WebhookDelivery.webhook_id == hook_id)
            .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
            .options(joinedload(WebhookDelivery.webhook))
            .limit(_SEND_AT_ONCE)
        )
        with self._services.database.read() as session:
            return [_parcel(self._services.vault, one, event) for one, event in session.execute(query)]

    def _send(self, parcel: _Parcel) -> bool:
        status, error = _deliver(outbound_of(self._services.settings), parcel)
        with self._services.database.write() as session:
            delivery = session.get(WebhookDelivery, parcel.id, with_for_update=True)
            if delivery is None or delivery.state != "pending":
                return True
            delivery.attempts += 1
            delivery.status, delivery.error = status, error
            now = clock.now()
            if error is None:
                delivery.state, delivery.ended_at = "delivered", now
            elif delivery.attempts > len(PAUSES):
                delivery.state, delivery.ended_at = "failed", now
            else:
                delivery.due_at = now + timedelta(seconds=PAUSES[delivery.attempts - 1])
            after(session, WEBHOOK_DELIVERIES.labels("failed" if error else "delivered").inc)
            return error is None

    def _sweep(self) -> None:
        with self._services.database.write() as session:
            session.execute(
                delete(WebhookDelivery).where(WebhookDelivery.created_at < clock.now() - KEPT, WebhookDelivery.state != "pending")
            )


def _parcel(vault: Vault, delivery: WebhookDelivery, event: Event) -> _Parcel:
    document = event_document(event) | {"at": event.at.isoformat().replace("+00:00", "Z")}
    body = json.dumps({"webhook": delivery.webhook.name, "delivery": delivery.id, "event": document}).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"metalpool/{__version__}",
        "X-Metalpool-Event": event.kind,
        "X-Metalpool-Delivery": str(delivery.id),
        "X-Metalpool-Signature": sign(vault.decrypt(delivery.webhook.secret), int(clock.now().timestamp()), body),
    }
    return _Parcel(delivery.id, delivery.webhook.url, body, headers)


def _deliver(outbound: Outbound, parcel: _Parcel) -> tuple[int | None, str | None]:
    """The status that was answered, and what went wrong."""
    try:
        status = outbound.post(parcel.url, parcel.body, parcel.headers)
    except Unreachable as error:
        return None, str(error)
    return status, None if 200 <= status < 300 else f"it answered {status}"
