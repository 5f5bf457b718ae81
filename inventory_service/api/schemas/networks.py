"""Spaces, fabrics, VLANs, subnets, and who holds which address."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Request


class NamedChange(Request):
    """What is to change; what is left out stays."""

    description: str | None = Field(default=None, max_length=1000)


class Named(Answer):
    name: str
    description: str
    version: int


class NamedList(Answer):
    items: list[Named]
    next: str | None


class VlanChange(NamedChange):
    """A VLAN; a new one needs `fabric` and `vid`. `vid` 0 is the untagged one."""

    fabric: str | None = None
    vid: int | None = Field(default=None, ge=0, le=4094)
    space: str | None = None
    mtu: int | None = Field(default=None, ge=576, le=65535)


class Vlan(Named):
    fabric: str
    vid: int
    space: str | None
    mtu: int


class Vlans(Answer):
    items: list[Vlan]
    next: str | None


class Range(Request):
    """Addresses, first to last, that no node is assigned: the `boot` range of DHCP, or `reserved` for something else."""

    kind: Literal["boot", "reserved"]
    first: str
    last: str
    comment: str = Field(default="", max_length=1000)


class SubnetChange(NamedChange):
    """A subnet; a new one needs `vlan` and `cidr`. `ranges` replaces them all."""

    vlan: str | None = None
    cidr: str | None = None
    gateway: str | None = None
    dns_servers: list[str] | None = Field(default=None, max_length=16)
    assign: bool | None = None
    ranges: list[Range] | None = Field(default=None, max_length=64)


class Use(Answer):
    """How many addresses there are, how many can be assigned, are taken, and are free to be assigned."""

    total: int
    assignable: int
    taken: int
    free: int


class Subnet(Named):
    cidr: str
    vlan: str
    fabric: str
    space: str | None
    gateway: str | None
    dns_servers: list[str]
    assign: bool
    ranges: list[Range]


class UsedSubnet(Subnet):
    use: Use


class Subnets(Answer):
    items: list[Subnet]
    next: str | None


class Reservation(Request):
    """Why an address is reserved, and for which interface if for one (its MAC address)."""

    comment: str = Field(default="", max_length=1000)
    interface: str | None = None


class Address(Answer):
    ip: str
    kind: Literal["reserved", "assigned"]
    node: str | None
    interface: str | None
    allocation: str | None
    comment: str
    created_at: datetime


class Addresses(Answer):
    items: list[Address]
    next: str | None
