"""Allocations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from inventory_service.api.schemas.catalogue import HeldAddress
from inventory_service.api.schemas.common import Answer, Document, LoginName, Page, PasswordHash, Request, SshPublicKey, Wait


class ExtraUser(Request):
    """One more user on the installed system."""

    name: LoginName
    ssh_keys: list[SshPublicKey] = Field(default_factory=list, max_length=100)
    sudo: bool = False
    password_hash: PasswordHash | None = None


class Credentials(Request):
    """Who may log in to the installed system; without keys, those that the user stored."""

    user: LoginName | None = None
    ssh_keys: list[SshPublicKey] = Field(default_factory=list, max_length=100)
    password_hash: PasswordHash | None = None
    extra_users: list[ExtraUser] = Field(default_factory=list, max_length=50)
    user_data: str | None = Field(default=None, max_length=65536)


class AllocationIn(Request):
    """Ask for a node; constraints are the user's own words, such as ``{"mem": "32G", "tag": "gpu"}``."""

    name: str | None = None
    constraints: dict[str, Any] = Field(default_factory=dict)
    image: str | None = None
    deploy: bool = True
    hostname: str | None = None
    root_disk: str | None = None
    addresses: dict[str, str] = Field(default_factory=dict, max_length=32)
    note: str = Field(default="", max_length=4000)
    annotations: dict[str, str] = Field(default_factory=dict)
    credentials: Credentials = Field(default_factory=Credentials)
    lease: str | None = Field(default=None, max_length=100, description="how long: `8h`, `2d`, `90m`; or an end time")
    until: str | None = Field(default=None, max_length=100, description="when it ends, ISO 8601; instead of `lease`")
    wait: bool = Field(default=False, description="stand in line when nothing is free but something could be")
    wait_timeout: str | None = Field(default=None, max_length=100, description="how long to stand in line at most: `2h`")


class ExtendIn(Request):
    """Let a lease end later: so long from now, or at a moment."""

    lease: str | None = Field(default=None, max_length=100)
    until: str | None = Field(default=None, max_length=100)


class AllocationWait(Wait):
    """Answer when the allocation changes after version ``after``, or is no longer waiting in line."""

    after: int | None = None


class AllocationChange(Request):
    """What a user may write beside an allocation; an annotation that is null goes, those not named stay."""

    note: str | None = Field(default=None, max_length=4000)
    annotations: dict[str, str | None] | None = None


class DeployIn(Request):
    """Deploy an allocation, or deploy it again; what is left out stays as it was."""

    image: str | None = None
    hostname: str | None = None
    root_disk: str | None = None
    credentials: Credentials | None = None


class AllocationFilter(Page):
    """Which allocations to list, the newest first; released ones only when asked for."""

    state: str | None = None
    user: str | None = None
    node: str | None = None


class Allocation(Answer):
    """One node held by one user; a waiting one has none yet, and ``place`` is its place in line."""

    name: str
    user: str
    node: str | None
    state: str
    image: str | None
    hostname: str
    address: str | None
    ssh_user: str | None
    host_keys: list[str]
    addresses: list[HeldAddress]
    note: str
    annotations: Document
    zone: str | None
    pool: str | None
    constraints: Document
    root_disk: str | None
    operation: str | None
    created_at: datetime
    activated_at: datetime | None
    released_at: datetime | None
    reason: str | None
    place: int | None
    queued_at: datetime | None
    wait_until: datetime | None
    held_since: datetime | None
    expires_at: datetime | None
    expired: bool
    version: int


class Allocations(Answer):
    items: list[Allocation]
    next: str | None
