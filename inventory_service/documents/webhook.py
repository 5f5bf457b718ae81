"""Webhooks and deliveries as answers show them: without the secret."""

from __future__ import annotations

from typing import Any

from inventory_service.models import Webhook, WebhookDelivery


def webhook_document(hook: Webhook) -> dict[str, Any]:
    """A webhook."""
    return {name: getattr(hook, name) for name in ("name", "url", "filter", "enabled", "created_at", "version")}


def delivery_document(one: WebhookDelivery) -> dict[str, Any]:
    """A delivery."""
    plain = ("id", "kind", "state", "attempts", "status", "error", "created_at", "ended_at")
    due = one.due_at if one.state == "pending" else None
    return {name: getattr(one, name) for name in plain} | {"event": one.event_id, "due_at": due}
