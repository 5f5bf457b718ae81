"""Images, pools, SSH keys, events, the dynamic inventory."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from inventory_service.api.schemas.common import Answer, Document, LoginName, Page, Request, SshPublicKey

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


class PoolChange(Request):
    """A pool's policy; what is left out stays. An empty list of erase methods allows all."""

    description: str | None = None
    wait_in_ephemeral: bool | None = None
    erase_methods: list[EraseMethod] | None = None
    weak_boot_token: bool | None = None
    auto_accept: bool | None = None
    default_role: Literal["none", "viewer", "user"] | None = None


class Pool(Answer):
    name: str
    description: str
    wait_in_ephemeral: bool
    erase_methods: list[str]
    weak_boot_token: bool
    auto_accept: bool
    default_role: str


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


class EventFilter(Page):
    """Which events: those after this one, the oldest first."""

    node: str | None = None
    kind: str | None = None


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
    """``pools`` is the role in each pool that the user sees."""

    user: str
    role: str
    rack: str | None
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
