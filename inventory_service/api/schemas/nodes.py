"""Nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Document, Request, Selection


class BmcIn(Request):
    """How to reach a BMC; the password is encrypted at rest and never answered."""

    kind: Literal["ipmi"] = "ipmi"
    address: str = Field(min_length=1, max_length=253)
    port: int = Field(default=623, ge=1, le=65535)
    username: str | None = Field(default=None, max_length=16)
    password: str | None = Field(default=None, max_length=20)


class BmcChange(Request):
    """What is to change about a BMC."""

    kind: Literal["ipmi"] | None = None
    address: str | None = Field(default=None, min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65535)
    username: str | None = Field(default=None, max_length=16)
    password: str | None = Field(default=None, max_length=20)


class InterfaceIn(Request):
    """An interface by which the node may boot."""

    mac: str
    name: str | None = None
    vlan: str | None = None
    subnet: str | None = None
    tags: list[str] = Field(default_factory=list, max_length=64)


class DiskChange(Request):
    """The tags of a disk, which is known by its serial number, or by its name when it has none."""

    disk: str
    tags: list[str] = Field(max_length=64)


class NodeIn(Request):
    """A node added by hand."""

    name: str
    bmc: BmcIn | None = None
    interfaces: list[InterfaceIn] = Field(min_length=1)
    arch: str = "amd64"
    firmware: Literal["bios", "uefi"] | None = None
    zone: str | None = None
    pool: str | None = None
    rack: str | None = None
    tags: list[str] = Field(default_factory=list)
    uuid: str | None = None
    serial: str | None = None
    vendor: str | None = None
    product: str | None = None
    comment: str = Field(default="", max_length=4000)
    annotations: dict[str, str] = Field(default_factory=dict)
    weak_boot_token: bool = False


class NodeChange(Request):
    """What is to change about a node; what is left out stays.

    `interfaces` replaces them all; of one that stays, what is left out stays. An annotation that is null goes.
    """

    name: str | None = None
    bmc: BmcChange | None = None
    interfaces: list[InterfaceIn] | None = None
    arch: str | None = None
    firmware: Literal["bios", "uefi"] | None = None
    zone: str | None = None
    pool: str | None = None
    rack: str | None = None
    tags: list[str] | None = None
    uuid: str | None = None
    serial: str | None = None
    vendor: str | None = None
    product: str | None = None
    comment: str | None = Field(default=None, max_length=4000)
    annotations: dict[str, str | None] | None = None
    disks: list[DiskChange] | None = None
    locked: bool | None = None
    root_disk: str | None = None
    weak_boot_token: bool | None = None


class NodeFilter(Selection):
    """Which nodes to list."""

    state: str | None = None
    zone: str | None = None
    pool: str | None = None
    rack: str | None = None
    tag: str | None = None
    arch: str | None = None
    name: str | None = None
    owner: str | None = None
    annotation: str | None = None


class StateChange(Request):
    """Take a node out of use, or say that one that was set aside is fixed; and why."""

    verb: Literal["set_aside", "retire", "mark_fixed"]
    comment: str = Field(min_length=1, max_length=1000)


class BmcOut(Answer):
    kind: str
    address: str
    port: int
    username: str | None
    mac: str | None


class DiskOut(Answer):
    name: str
    serial: str | None
    wwn: str | None
    model: str | None
    kind: str
    size_bytes: int
    rotational: bool
    path: str | None
    wear_percent: int | None
    tags: list[str]


class InterfaceOut(Answer):
    name: str | None
    mac: str
    driver: str | None
    speed_mbps: int | None
    link: bool | None
    lldp: Document | None
    vlan: str | None
    fabric: str | None
    subnets: list[str]
    addresses: list[str]
    tags: list[str]


class Node(Answer):
    """A physical server; sizes in bytes."""

    name: str
    uuid: str | None
    serial: str | None
    state: str
    reason: str | None
    locked: bool
    owner: str | None
    allocation: str | None
    zone: str
    pool: str
    rack: str
    tags: list[str]
    arch: str
    firmware: str | None
    cpus: int | None
    cpu_mhz: int | None
    memory_bytes: int | None
    storage_bytes: int | None
    numa_nodes: int | None
    link_mbps: int | None
    gpus: int
    tpm: str | None
    cost: float
    recent_failures: int
    power_state: str
    comment: str
    annotations: Document
    vendor: str | None
    product: str | None
    bmc: BmcOut | None
    root_disk: str | None
    disks: list[DiskOut]
    interfaces: list[InterfaceOut]
    weak_boot_token: bool
    operation: str | None
    created_at: datetime
    updated_at: datetime
    version: int


class NumaOut(Answer):
    number: int
    cpus: int
    memory_bytes: int | None


class DeviceOut(Answer):
    """A PCI or USB device; ids and class in hex digits."""

    bus: str
    address: str | None
    pci_class: str | None
    class_name: str | None
    vendor_id: str | None
    product_id: str | None
    vendor: str | None
    product: str | None
    driver: str | None
    gpu: bool


class WholeNode(Node):
    """A physical server with all its parts."""

    numa: list[NumaOut]
    devices: list[DeviceOut]


class Nodes(Answer):
    items: list[Node]
    next: str | None


class Facts(Answer):
    """The facts document as the node reported it at its last commissioning."""

    node: str
    operation: str | None
    at: datetime | None
    facts: Document


class ErasureOut(Answer):
    operation: str
    serial: str | None
    path: str | None
    method: str | None
    verified: bool
    detail: str
    evidence: Document
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    recorded_at: datetime


class Erasures(Answer):
    items: list[ErasureOut]
    next: str | None


class Failure(Answer):
    """An operation failed on the node; a forgiven one counts no longer."""

    kind: str
    operation: str | None
    reason: str
    at: datetime
    forgiven: bool


class Failures(Answer):
    items: list[Failure]
    next: str | None
