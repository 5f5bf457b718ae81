"""Images, pools, SSH keys, events, the dynamic inventory."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from inventory_service.api.schemas.common import Answer, Document, LoginName, Request, Selection, SshPublicKey

_URL = re.compile(r"(https?://[^\s\"'<>]+|/images/[^\s\"'<>]+)", re.ASCII)


def _check_url(url: str) -> str:
    if not _URL.fullmatch(url) or ".." in url:
        raise ValueError("not a path under the rack's /images/ and not an http(s) URL")
    return url


class ImageIn(Request):
    """An image: a compressed disk; the SHA-256 is of the compressed file, sizes are in bytes."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    os: str
    version: str
    arch: Literal["amd64", "arm64"]
    url: Annotated[str, AfterValidator(_check_url)]
    format: Literal["raw.zst"] = "raw.zst"
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    disk_bytes: int = Field(gt=0)
    default_user: LoginName
    boot: list[Literal["bios", "uefi"]] = Field(min_length=1)


class Image(ImageIn):
    created_at: datetime


class Images(Answer):
    items: list[Image]
    next: str | None


EraseMethod = Literal[
    "nvme_sanitize_crypto",
    "nvme_sanitize_block",
    "nvme_format_crypto",
    "nvme_format_user_data",
    "ata_secure_erase_enhanced",
    "ata_secure_erase",
    "scsi_sanitize",
    "blkdiscard_secure",
    "zeroout",
    "overwrite",
]


Seconds = Annotated[int, Field(ge=1)]


class SetAsideRule(Request):
    """So many failed operations of these kinds within so long set a node aside; those of one allocation count once."""

    kinds: list[Literal["commission", "deploy", "release"]] = Field(min_length=1)
    failures: int = Field(ge=1, le=100)
    window_seconds: int = Field(ge=60, le=365 * 86400)


class PoolChange(Request):
    """A pool's policy; what is left out stays. An empty list of erase methods allows all."""

    description: str | None = None
    wait_in_ephemeral: bool | None = None
    erase_methods: list[EraseMethod] | None = None
    weak_boot_token: bool | None = None
    auto_accept: bool | None = None
    default_role: Literal["none", "viewer", "user"] | None = None
    lease_required: bool | None = Field(default=None, description="every allocation has to end by itself")
    lease_default_seconds: Seconds | None = Field(default=None, description="the lease when none is asked for; null: none")
    lease_max_seconds: Seconds | None = Field(default=None, description="of one lease or extension; null: no limit")
    lease_total_seconds: Seconds | None = Field(default=None, description="with all extensions; null: no limit")
    lease_notice_seconds: int | None = Field(default=None, ge=0, description="how long before the end it is announced")
    lease_grace_seconds: int | None = Field(default=None, ge=0, description="from the end to the release")
    queue_order: Literal["first_come"] | None = Field(default=None, description="who in line gets a node that becomes free")
    set_aside: list[SetAsideRule] | None = Field(default=None, max_length=20, description="no rule: never")


class Pool(Answer):
    name: str
    description: str
    wait_in_ephemeral: bool
    erase_methods: list[str]
    weak_boot_token: bool
    auto_accept: bool
    default_role: str
    lease_required: bool
    lease_default_seconds: int | None
    lease_max_seconds: int | None
    lease_total_seconds: int | None
    lease_notice_seconds: int
    lease_grace_seconds: int
    queue_order: str
    set_aside: list[SetAsideRule]


class Pools(Answer):
    items: list[Pool]
    next: str | None


class SshKeyIn(Request):
    """A public key; without a name, its comment names it."""

    name: str | None = Field(default=None, max_length=100, pattern=r"^[A-Za-z0-9@._-]+$")
    key: SshPublicKey


class SshKey(Answer):
    name: str
    key: str
    created_at: datetime


class SshKeys(Answer):
    items: list[SshKey]
    next: str | None


class EventFilter(Selection):
    """Which events: those after this one, the oldest first."""

    node: str | None = None
    kind: str | None = None


class AuditFilter(Request):
    """Which events, and how they are written; `after` is the number of an event."""

    filter: str | None = Field(default=None, max_length=4000, description="such as `actor=alice at>=30d kind~token`")
    after: int = Field(default=0, ge=0, le=2**63 - 1)
    format: Literal["jsonl", "csv"] = "jsonl"


class Event(Answer):
    id: int
    at: datetime
    kind: str
    actor: str
    node: str | None
    allocation: str | None
    operation: str | None
    detail: Document


class Events(Answer):
    items: list[Event]
    next: str | None


class Whoami(Answer):
    """``pools`` is the role in each pool that the user sees, as far as the token's ``scope`` goes."""

    user: str
    role: str
    scope: str
    rack: str | None
    groups: list[str]
    pools: dict[str, str]


class HeldAddress(Answer):
    """An address that an allocation holds; the interface by its MAC address."""

    subnet: str
    ip: str
    interface: str


class InventoryHost(Answer):
    name: str
    allocation: str
    node: str
    ansible_host: str | None
    ansible_user: str | None
    host_keys: list[str]
    addresses: list[HeldAddress]
    zone: str
    pool: str
    tags: list[str]
    image: str | None
    user: str
    arch: str
    cpus: int | None
    memory_bytes: int | None


class Inventory(Answer):
    hosts: list[InventoryHost]
