"""API tokens, passwords and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from inventory_service.api.schemas.common import Answer, Page, Request

Scope = Literal["read", "allocate", "operate", "admin"]


class TokenIn(Request):
    """A token: for oneself unless an administrator names another user. A worker's has the rack that it is for."""

    name: str = Field(default="", max_length=100, description="what it is for")
    scope: Scope = "admin"
    expires_at: AwareDatetime | None = Field(default=None, description="null: when it is revoked")
    user: str | None = None
    rack: str | None = None


class Token(Answer):
    """``hint`` is how it ends; the token itself is kept nowhere."""

    id: int
    name: str
    user: str
    role: str
    scope: Scope
    rack: str | None
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(Token):
    """The only answer that a token stands in."""

    token: str


class TokenFilter(Page):
    """One's own; an administrator's list is everybody's, or that of a user."""

    user: str | None = None


class Tokens(Answer):
    items: list[Token]
    next: str | None
