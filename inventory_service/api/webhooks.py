"""Webhooks: for administrators, because they get events of all pools."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.webhooks import Deliveries, Delivery, Webhook, WebhookChange, Webhooks
from inventory_service.documents.webhook import delivery_document, webhook_document
from inventory_service.models import Webhook as WebhookRow
from inventory_service.models import WebhookDelivery
from inventory_service.webhooks import delete_webhook, put_webhook, try_again

bp = APIBlueprint("webhooks", __name__, url_prefix="/api/v1", tag="Events")
by_token(bp, "admin", "user")

_HOOKS = Records(
    "webhook",
    "webhooks",
    WebhookRow,
    Webhook,
    Webhooks,
    lambda _session, hook: webhook_document(hook),
    reader="administrator",
    lister="administrator",
    change=WebhookChange,
    put=lambda session, name, values, actor: put_webhook(session, services().settings, services().vault, name, values, actor),
    remove=delete_webhook,
    puts="Set where events are sent to; it is made when there is none of that name. It gets what happens from then on.",
    removes="Send nothing there any more, what is waiting included.",
)
add_views(bp, _HOOKS)


@bp.get("/webhooks/<name>/deliveries")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Deliveries)
@needs("administrator")
def list_deliveries(name: str, page: Page) -> dict[str, Any]:
    """What became of the events of a webhook, the newest first; the log goes back thirty days."""
    with services().database.read() as session:
        hook = _HOOKS.find(session, name)
        query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == hook.id).order_by(WebhookDelivery.id.desc())
        after = number(page.after)
        query = query.where(WebhookDelivery.id < after) if after is not None else query
        rows, following = part(session, query, page.limit, lambda one: one.id)
        return {"items": [delivery_document(one) for one in rows], "next": following}


@bp.post("/webhooks/<name>/deliveries/<int:delivery>/retry")
@bp.output(Delivery, status_code=202)
@needs("administrator")
def retry_delivery(name: str, delivery: int) -> dict[str, Any]:
    """Deliver an event once more, as soon as possible."""
    with services().database.write() as session:
        return delivery_document(try_again(session, _HOOKS.find(session, name), delivery, caller().actor))
