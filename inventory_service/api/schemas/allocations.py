"""Allocations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from inventory_service.api.schemas.catalogue import HeldAddress
from inventory_service.api.schemas.common import Answer, Document, LoginName, Page, PasswordHash, Request, SshPublicKey


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
    """One node held by one user."""

    name: str
    user: str
    node: str
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


class Allocations(Answer):
    items: list[Allocation]
    next: str | None
