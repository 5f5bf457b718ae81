"""Users, groups and grants."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Page, Request


class UserIn(Request):
    """A person or a program that may hold tokens."""

    name: str


class UserChange(Request):
    """What is left out stays."""

    administrator: bool | None = Field(default=None, description="may do everything in all pools")
    disabled: bool | None = Field(default=None, description="no token, password or session of the user lets anybody in")


class User(Answer):
    name: str
    created_at: datetime
    administrator: bool
    disabled_at: datetime | None


class Users(Answer):
    items: list[User]
    next: str | None


class GroupIn(Request):
    """A group; what is left out stays. ``members`` are all who shall be in it."""

    description: str | None = Field(default=None, max_length=1000)
    members: list[str] | None = Field(default=None, max_length=10000)


class Group(Answer):
    name: str
    description: str
    members: list[str]


class Groups(Answer):
    items: list[Group]
    next: str | None


class GrantIn(Request):
    """A role for one user or one group, in one pool or, without one, in all pools."""

    role: str
    user: str | None = None
    group: str | None = None
    pool: str | None = None


class GrantFilter(Page):
    """Which grants to list; ``user`` does not look into groups."""

    user: str | None = None
    group: str | None = None
    pool: str | None = None


class Grant(Answer):
    id: int
    user: str | None
    group: str | None
    pool: str | None
    role: str


class Grants(Answer):
    items: list[Grant]
    next: str | None
