"""Webhooks."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Request


class WebhookChange(Request):
    """What is to change; a new one needs `url` and `secret`. The secret is encrypted at rest and never answered."""

    url: str | None = Field(default=None, max_length=2000)
    filter: str | None = Field(default=None, max_length=4000, description="which events, such as `kind~operation.`; empty: all")
    secret: str | None = Field(default=None, min_length=16, max_length=200)
    enabled: bool | None = None


class Webhook(Answer):
    name: str
    url: str
    filter: str
    enabled: bool
    created_at: datetime
    version: int


class Webhooks(Answer):
    items: list[Webhook]
    next: str | None


class Delivery(Answer):
    """One event for one webhook. `due_at` is when a pending one is tried next, `status` what was answered last."""

    id: int
    event: int
    kind: str
    state: str
    attempts: int
    due_at: datetime | None
    status: int | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class Deliveries(Answer):
    items: list[Delivery]
    next: str | None
