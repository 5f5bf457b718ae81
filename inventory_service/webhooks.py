"""Webhooks as records: where events are sent, which of them, and signed with which secret."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.auth import check_name
from inventory_service.config import Settings
from inventory_service.events import record
from inventory_service.filters import EVENTS
from inventory_service.models import Webhook, WebhookDelivery
from inventory_service.news import latest
from inventory_service.outbound import URL_RULE, Outbound
from inventory_service.problems import Invalid, NotFound
from inventory_service.vault import Vault

LENGTH_RULE = "16 to 200 characters; the receiver has the same"


def outbound_of(settings: Settings) -> Outbound:
    """How deliveries leave this host."""
    return Outbound(settings.webhook_local, settings.webhook_ca_file)


def put_webhook(session: Session, settings: Settings, vault: Vault, name: str, values: dict[str, Any], actor: str) -> Webhook:
    """Make a webhook, or change what is given. One that is enabled again begins with what happens from then on.

    :raises Invalid: an address that cannot be asked, no secret for a new one, a filter that means nothing
    """
    hook = session.scalar(select(Webhook).where(Webhook.name == name))
    new = hook is None
    if hook is None:
        for field, rule in (("url", URL_RULE), ("secret", LENGTH_RULE)):
            if not values.get(field):
                raise Invalid(field, None, "a new webhook needs it", rule)
        hook = Webhook(name=check_name("name", name), passed=latest(session), created_at=clock.now(), filter="", enabled=True)
    if values.get("url") is not None:
        outbound_of(settings).check("url", values["url"])
        hook.url = values["url"]
    if values.get("filter") is not None:
        EVENTS.where(session, EVENTS.terms(values["filter"], {}))
        hook.filter = values["filter"]
    if values.get("secret") is not None:
        hook.secret = vault.encrypt(values["secret"])
    if values.get("enabled") is not None:
        if values["enabled"] and not hook.enabled:
            hook.passed = latest(session)
        hook.enabled = values["enabled"]
    session.add(hook)
    record(session, "webhook.added" if new else "webhook.changed", actor, webhook=name, changed=sorted(values))
    return hook


def delete_webhook(session: Session, hook: Webhook, actor: str) -> None:
    """Send nothing there any more, what is waiting included."""
    record(session, "webhook.deleted", actor, webhook=hook.name)
    session.delete(hook)


def try_again(session: Session, hook: Webhook, number: int, actor: str) -> WebhookDelivery:
    """Deliver an event once more, as if for the first time.

    :raises NotFound: there is no such delivery
    """
    found = session.scalar(select(WebhookDelivery).where(WebhookDelivery.webhook_id == hook.id, WebhookDelivery.id == number))
    if found is None:
        raise NotFound("delivery", number)
    found.state, found.attempts, found.due_at, found.ended_at = "pending", 0, clock.now(), None
    record(session, "webhook.tried-again", actor, webhook=hook.name, delivery=number)
    return found
