"""Nodes, by the words of constraints and by what else stands in their row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from inventory_service.annotations import parse_filter
from inventory_service.constraints import columns
from inventory_service.constraints.grammar import WORDS
from inventory_service.constraints.words import COUNT, SIZE
from inventory_service.filters.listed import Listed
from inventory_service.filters.sorting import Key
from inventory_service.filters.terms import Term
from inventory_service.filters.words import Word, as_asked, as_constraint, choice, flag, linked, moment, named, number, text
from inventory_service.models import NODE, Allocation, Interface, Pool, Rack, User, Zone
from inventory_service.models import NODES as TABLE
from inventory_service.models.node import STATES

_allocation, _user, _interface = Allocation.__table__.c, User.__table__.c, Interface.__table__.c
_HELD = select(_allocation.node_id).where(_allocation.state != "released")


def _annotation(_session: Session, term: Term) -> list[ColumnElement[bool]]:
    key, value = parse_filter(term.text, term.field)
    return [NODE.annotations[key].as_string() == value]


def _name_of(table: type[Any], column: ColumnElement[Any]) -> ColumnElement[Any]:
    other = table.__table__.c
    return select(other.name).where(other.id == column).correlate(TABLE).scalar_subquery()


NODES = Listed(
    words={
        "name": text(NODE.name),
        "state": choice(NODE.state, STATES),
        "reason": text(NODE.reason),
        "locked": flag(NODE.locked.is_(True)),
        **{
            word: as_constraint(WORDS[word])
            for word in ("zone", "pool", "arch", "firmware", "power", "tpm", "tag", "fabric", "vlan", "subnet", "space",
                         "disks", "interfaces", "devices")
        },
        "rack": named(NODE.rack_id, Rack, "rack"),
        "mem": as_asked(columns.mem),
        "cpus": as_asked(columns.cpus),
        "cpu_speed": as_asked(columns.cpu_speed),
        "link_speed": as_asked(columns.link_speed),
        "numa": as_asked(columns.numa),
        "gpus": number(NODE.gpus, COUNT),
        "storage": number(NODE.storage_bytes, SIZE),
        "failures": number(NODE.recent_failures, COUNT),
        "owner": linked(NODE.id, _user.name, _HELD.join(User.__table__, _user.id == _allocation.user_id)),
        "allocation": linked(NODE.id, _allocation.name, _HELD),
        "held": flag(exists().where(_allocation.node_id == NODE.id, _allocation.state != "released").correlate(TABLE)),
        "annotation": Word(("=",), _annotation),
        "mac": linked(NODE.id, _interface.mac, select(_interface.node_id)),
        "serial": text(NODE.serial),
        "uuid": text(NODE.uuid),
        "vendor": text(NODE.vendor),
        "product": text(NODE.product),
        "comment": text(NODE.comment),
        "created_at": moment(NODE.created_at),
        "updated_at": moment(NODE.updated_at),
    },
    keys={
        "name": Key(NODE.name, unique=True),
        "state": Key(NODE.state),
        "zone": Key(_name_of(Zone, NODE.zone_id)),
        "pool": Key(_name_of(Pool, NODE.pool_id)),
        "rack": Key(_name_of(Rack, NODE.rack_id)),
        "arch": Key(NODE.arch),
        "mem": Key(NODE.memory_bytes, nullable=True),
        "cpus": Key(NODE.cpus, nullable=True),
        "cpu_speed": Key(NODE.cpu_mhz, nullable=True),
        "link_speed": Key(NODE.link_mbps, nullable=True),
        "storage": Key(NODE.storage_bytes, nullable=True),
        "gpus": Key(NODE.gpus),
        "cost": Key(NODE.cost),
        "failures": Key(NODE.recent_failures),
        "power": Key(NODE.power_state),
        "vendor": Key(NODE.vendor, nullable=True),
        "product": Key(NODE.product, nullable=True),
        "created_at": Key(NODE.created_at),
        "updated_at": Key(NODE.updated_at),
    },
    bare="name",
    order="name",
    last=Key(NODE.id, unique=True),
    shorthands=("state", "name", "arch", "zone", "pool", "rack", "tag", "owner", "annotation"),
)  # fmt: skip
