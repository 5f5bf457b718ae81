"""Allocations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from inventory_service.api.schemas.catalogue import HeldAddress
from inventory_service.api.schemas.common import Answer, Document, LoginName, PasswordHash, Request, Selection, SshPublicKey, Wait


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


Words = dict[str, Any] | list[Any] | str
"""The user's own words, as a text or as a document: ``constraints`` of the package parses them."""


class NodeWanted(Request):
    """What a node has to be; constraints are the user's own words, such as ``{"mem": "32G", "tags": "gpu"}``.

    ``prefer`` holds words that rank and exclude nothing: a dictionary, a text such as ``zone=a, mem=64G..``, or a list.
    ``not_with`` names allocations or sets whose nodes it must not be; with ``spread``, it is in other places than theirs.
    """

    constraints: dict[str, Any] = Field(default_factory=dict)
    prefer: Words | None = None
    not_with: list[str] | str | None = None
    spread: list[str] | str | None = Field(default=None, description="zone, rack, pool, fabric, or several of these")
    image: str | None = None
    deploy: bool = True
    root_disk: str | None = None
    addresses: dict[str, str] = Field(default_factory=dict, max_length=32)
    lease: str | None = Field(default=None, max_length=100, description="how long: `8h`, `2d`, `90m`; or an end time")
    until: str | None = Field(default=None, max_length=100, description="when it ends, ISO 8601; instead of `lease`")


class Acquisition(NodeWanted):
    """What is asked for besides what a node has to be."""

    name: str | None = None
    hostname: str | None = None
    note: str = Field(default="", max_length=4000)
    annotations: dict[str, str] = Field(default_factory=dict)
    credentials: Credentials = Field(default_factory=Credentials)
    wait: bool = Field(default=False, description="stand in line when nothing is free but something could be")
    wait_timeout: str | None = Field(default=None, max_length=100, description="how long to stand in line at most: `2h`")


class AllocationIn(Acquisition):
    """Ask for a node."""


class ExtendIn(Request):
    """Let a lease end later: so long from now, or at a moment. With ``dry_run`` the answer tells what it would be."""

    lease: str | None = Field(default=None, max_length=100)
    until: str | None = Field(default=None, max_length=100)
    dry_run: bool = False


class AllocationWait(Wait):
    """Answer when the allocation changes after version ``after``, or is no longer waiting in line."""

    after: int | None = None


MOST_AT_ONCE = 100


class AllocationSetIn(Acquisition):
    """Ask for several nodes at once: ``count``, or at least ``min_count``, or none.

    With ``same`` all are in one place; with ``spread`` they are as evenly in different places as those that fit allow.
    """

    count: int = Field(ge=1, le=MOST_AT_ONCE)
    min_count: int | None = Field(default=None, ge=1, le=MOST_AT_ONCE)
    same: list[str] | str | None = Field(default=None, description="zone, rack, pool, fabric, or several of these")


class AllocationPlanIn(NodeWanted):
    """Ask what an allocation would get, or with ``count`` a set of allocations; with ``wait``, also whether it would
    stand in line. ``name`` and ``credentials`` are checked when they are given.
    """

    name: str | None = None
    credentials: Credentials | None = None
    wait: bool = False

    count: int | None = Field(default=None, ge=1, le=MOST_AT_ONCE)
    min_count: int | None = Field(default=None, ge=1, le=MOST_AT_ONCE)
    same: list[str] | str | None = None


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


class AllocationFilter(Selection):
    """Which allocations to list, the newest first; released ones only when asked for."""

    state: str | None = None
    user: str | None = None
    node: str | None = None
    set: str | None = None


class Allocation(Answer):
    """One node held by one user; a waiting one has none yet, and ``place`` is its place in line.

    ``set`` is what several have in common that were asked for at once.
    """

    name: str
    set: str | None
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


class AllocationSet(Answer):
    """What is held of several nodes that were asked for at once; while they wait in line one stands there for all of
    them, and ``place`` is its place.
    """

    name: str
    place: int | None
    items: list[Allocation]


class Allocations(Answer):
    items: list[Allocation]
    next: str | None


class MetPreference(Answer):
    """A preference in the user's words, and whether a node meets it."""

    constraint: str
    value: str
    met: bool


class Candidate(Answer):
    """A node that would be picked, and what its rank comes from: preferences, cost, when it was last used."""

    node: str
    zone: str
    pool: str
    cost: float
    cost_parts: dict[str, float]
    preferences: list[MetPreference]
    root_disk: str | None
    last_used_at: datetime


class AllocationPlan(Answer):
    """What would be picked, best first; for a set, the nodes that it would have. Nothing when it would stand in line."""

    candidates: list[Candidate]
    would_wait: bool
