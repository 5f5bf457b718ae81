"""An event as answers and streams show it."""

from __future__ import annotations

from typing import Any

from inventory_service.models import Event


def event_document(event: Event) -> dict[str, Any]:
    """An event."""
    return {
        "id": event.id,
        "at": event.at,
        "kind": event.kind,
        "actor": event.actor,
        "node": event.node_name,
        "allocation": event.allocation,
        "operation": event.operation_id,
        "detail": event.detail,
    }
