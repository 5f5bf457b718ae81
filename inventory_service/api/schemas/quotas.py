"""Quotas."""

from __future__ import annotations

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Page, Request


class QuotaIn(Request):
    """How much a user may hold of a pool; null, or left out, is without a limit."""

    nodes: int | None = Field(default=None, ge=0)
    cpus: int | None = Field(default=None, ge=0)
    memory_bytes: int | None = Field(default=None, ge=0)


class QuotaFilter(Page):
    """Whose quotas; for administrators."""

    user: str | None = None


class Amount(Answer):
    nodes: int | None
    cpus: int | None
    memory_bytes: int | None


class Quota(Answer):
    """A limit and what is used of it; without a user, it is everybody's who has no other."""

    pool: str
    user: str | None
    limit: Amount
    used: Amount | None


class Quotas(Answer):
    items: list[Quota]
    next: str | None
