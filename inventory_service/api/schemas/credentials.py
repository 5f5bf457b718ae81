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


class LoginIn(Request):
    """What is typed to sign in: by `password` a user and a password, by `token` a token."""

    method: str = Field(default="password", max_length=40)
    user: str = Field(default="", max_length=200)
    password: str = Field(default="", max_length=1000)
    token: str = Field(default="", max_length=200)


class LoginMethod(Answer):
    """``fields`` is what is typed."""

    name: str
    label: str
    fields: list[str]


class LoginMethods(Answer):
    methods: list[LoginMethod]


class Session(Answer):
    """Somebody is signed in; ``current`` is the session that asks."""

    id: int
    user: str
    method: str
    address: str
    agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class NewSession(Session):
    """Changes need ``csrf_token`` in the header `X-CSRF-Token`, beside the cookie."""

    csrf_token: str


class Sessions(Answer):
    items: list[Session]
    next: str | None


class PasswordIn(Request):
    """A new password; one's own needs the one that was there, if there was one."""

    password: str = Field(max_length=1000)
    current: str | None = Field(default=None, max_length=1000)
