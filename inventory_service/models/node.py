"""A physical server: what constraints can use stands in columns, the rest in its facts document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, Column, Computed, ForeignKey, Index, String, Table, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base, Versioned
from inventory_service.models.bmc import Bmc
from inventory_service.models.hardware import Device, Disk, Interface, NumaNode
from inventory_service.models.places import Pool, Rack, Zone

STATES = (
    "new",
    "commissioning",
    "failed_commissioning",
    "ready",
    "allocated",
    "deploying",
    "failed_deploying",
    "deployed",
    "releasing",
    "failed_releasing",
    "testing",
    "failed_testing",
    "rescue",
    "broken",
    "retired",
)

ASKED_FOR = ("locked", "pool_id", "zone_id", "arch", "cpus", "memory_bytes", "storage_bytes", "link_mbps", "gpus")
"""What requests ask for most; it stands in the index of ready nodes, so that a search need not look at each node's row."""
ALIKE = (
    "pool_id", "zone_id", "arch", "firmware", "cpus", "memory_bytes", "disk_bytes", "storage_bytes", "link_mbps", "gpus", "cost"
)  # fmt: skip
"""What alike nodes share. A site buys few kinds of servers and many of each."""
_ALIKE = " || '/' || ".join(
    f"coalesce(CAST({one} AS TEXT), '')" for one in (*ALIKE, "CASE WHEN root_disk IS NULL THEN 'unclear' END")
)
_COUNTED = text("failures_until IS NOT NULL")


class Node(Versioned, Base):
    """One physical server. ``state`` is written by ``states.advance()`` and by nothing else.

    ``cost`` is what the node is worth (hardware by weights) plus a penalty for its ``recent_failures``: the pick takes
    the cheapest that fits. ``storage_bytes``, ``link_mbps`` and ``gpus`` sum up its parts, so that constraints need not
    count them. ``failures_until`` is when the oldest of its recent failures counts no longer. ``hardware_version`` grows when
    facts or parts change. ``idle_since`` is when it was last taken, or added. ``rules_due_at`` is when something changed
    that the expressions of tags may look at; null when they have looked. ``alike``, kept by the database and unknown to the
    ORM, is the same for nodes of which one can be judged for all: ``ALIKE``, and whether the disk for ``/`` is clear.
    """

    __tablename__ = "node"
    __table_args__ = (
        CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
        CheckConstraint("power_state IN ('on', 'off', 'unknown')", name="power_state"),
        Index("ix_node_rules_due_at", "rules_due_at", sqlite_where=text("rules_due_at IS NOT NULL"),
              postgresql_where=text("rules_due_at IS NOT NULL")),
        Index("ix_node_free", "cost", "idle_since", "id", *ASKED_FOR, sqlite_where=text("state = 'ready'"),
              postgresql_where=text("state = 'ready'")),
        Column("alike", String, Computed(_ALIKE, persisted=True)),
        Index("ix_node_alike", "alike", "state", "locked"),
        Index("ix_node_failures_until", "failures_until", sqlite_where=_COUNTED, postgresql_where=_COUNTED),
    )  # fmt: skip
    __mapper_args__ = {"exclude_properties": ("alike",)}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    uuid: Mapped[str | None] = mapped_column(unique=True)
    serial: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="new", index=True)
    reason: Mapped[str | None]
    dirty: Mapped[bool] = mapped_column(default=False)
    locked: Mapped[bool] = mapped_column(default=False)
    zone_id: Mapped[int] = mapped_column(ForeignKey("zone.id"), index=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), index=True)
    rack_id: Mapped[int] = mapped_column(ForeignKey("rack.id"), index=True)
    arch: Mapped[str]
    firmware: Mapped[str | None]
    cpus: Mapped[int | None]
    memory_bytes: Mapped[int | None]
    disk_bytes: Mapped[int | None]
    storage_bytes: Mapped[int | None]
    cpu_mhz: Mapped[int | None]
    numa_nodes: Mapped[int | None]
    link_mbps: Mapped[int | None]
    gpus: Mapped[int] = mapped_column(default=0)
    tpm: Mapped[str | None]
    cost: Mapped[float] = mapped_column(default=0.0)
    recent_failures: Mapped[int] = mapped_column(default=0)
    failures_until: Mapped[datetime | None]
    hardware_version: Mapped[int] = mapped_column(default=1)
    power_state: Mapped[str] = mapped_column(default="unknown")
    comment: Mapped[str] = mapped_column(default="")
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    vendor: Mapped[str | None]
    product: Mapped[str | None]
    root_disk: Mapped[str | None]
    weak_boot_token: Mapped[bool] = mapped_column(default=False)
    rules_due_at: Mapped[datetime | None]
    idle_since: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    zone: Mapped[Zone] = relationship(lazy="raise")
    pool: Mapped[Pool] = relationship(lazy="raise")
    rack: Mapped[Rack] = relationship(lazy="raise")
    bmc: Mapped[Bmc | None] = relationship(lazy="raise", cascade="all, delete-orphan", passive_deletes=True)
    tags: Mapped[list[NodeTag]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="NodeTag.tag"
    )
    interfaces: Mapped[list[Interface]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="Interface.id"
    )
    disks: Mapped[list[Disk]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="Disk.id"
    )
    devices: Mapped[list[Device]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="Device.id"
    )
    numa: Mapped[list[NumaNode]] = relationship(
        lazy="raise", cascade="all, delete-orphan", passive_deletes=True, order_by="NumaNode.number"
    )


NODES = cast(Table, Node.__table__)
NODE = NODES.c
"""The table and its columns without the ORM: what is made of them is made, and run, in a fraction of the time."""


class NodeTag(Base):
    """One tag of one node, set by hand or (``by_rule``) by the tag's expression."""

    __tablename__ = "node_tag"
    __table_args__ = (Index("ix_node_tag_tag_node_id", "tag", "node_id"),)

    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
    by_rule: Mapped[bool] = mapped_column(default=False)
