"""What an entry of each kind may say: what the API's own requests say, and its name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inventory_service.api.schemas.catalogue import PoolChange
from inventory_service.api.schemas.common import Request
from inventory_service.api.schemas.networks import NamedChange, SubnetChange, VlanChange
from inventory_service.api.schemas.nodes import BmcChange, DiskChange, InterfaceIn
from inventory_service.api.schemas.people import GrantIn, GroupIn
from inventory_service.api.schemas.quotas import QuotaIn
from inventory_service.api.schemas.tags import TagIn


class Name(Request):
    """A thing that has a name and nothing else."""

    name: str


class Named(NamedChange, Name):
    """A space, a fabric or a zone."""


class Vlan(VlanChange, Name):
    """A VLAN."""


class Subnet(SubnetChange, Name):
    """A subnet."""


class Pool(PoolChange, Name):
    """A pool with its policy."""


class Tag(TagIn, Name):
    """A tag, maybe with the expression that defines it."""


class Group(GroupIn, Name):
    """A group and all its members."""


class Grant(GrantIn):
    """A role for a user or a group, in one pool or in all."""


class Quota(QuotaIn):
    """How much a user may hold of a pool; without a user, each who has no other quota there."""

    pool: str
    user: str | None = None


class Node(Name):
    """A node; its state, its facts and its allocation are no part of it, and a password is read but never written."""

    uuid: str | None = None
    serial: str | None = None
    zone: str | None = None
    pool: str | None = None
    rack: str | None = None
    arch: str = "amd64"
    firmware: Literal["bios", "uefi"] | None = None
    vendor: str | None = None
    product: str | None = None
    comment: str = Field(default="", max_length=4000)
    annotations: dict[str, str] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    locked: bool = False
    weak_boot_token: bool = False
    bmc: BmcChange | None = None
    interfaces: list[InterfaceIn] = Field(default_factory=list)
    root_disk: str | None = None
    disks: list[DiskChange] = Field(default_factory=list)


class Reserved(Request):
    """An address that is reserved, maybe for one interface."""

    subnet: str
    ip: str
    interface: str | None = None
    comment: str = Field(default="", max_length=1000)
