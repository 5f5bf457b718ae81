"""What a user asks of a node: the one place where the words of a constraint are parsed and turned into SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from inventory_service.models import Node, NodeTag, Pool, Zone
from inventory_service.problems import Invalid
from inventory_service.sizes import ALLOWED as SIZES_ALLOWED
from inventory_service.sizes import parse_size

ARCHITECTURES = {"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}
NAMES = ("mem", "cpus", "arch", "tag", "zone", "pool", "node")


@dataclass(frozen=True)
class Constraint:
    """One thing that a node must have.

    :param name: how the user calls it
    :param value: the user's own words
    :param condition: SQL over the table of nodes
    """

    name: str
    value: str
    condition: ColumnElement[bool]


def parse_arch(field: str, value: str) -> str:
    """The architecture by the name that the service keeps.

    :raises Invalid: it is none that the service knows
    """
    try:
        return ARCHITECTURES[value.strip().lower()]
    except KeyError:
        raise Invalid(field, value, f"{value!r} is no architecture", ARCHITECTURES) from None


def parse_tags(field: str, value: Any) -> list[str]:
    """Tags as a list, or as one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise Invalid(field, value, "tags are a list of words, or words with commas between them", "tag or tag,tag")
    tags = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not tags:
        raise Invalid(field, value, "there is no tag in it", "tag or tag,tag")
    return tags


def _mem(_session: Session, field: str, value: Any) -> list[Constraint]:
    try:
        size = parse_size(str(value))
    except ValueError as error:
        raise Invalid(field, value, str(error), SIZES_ALLOWED) from None
    return [Constraint("mem", str(value), Node.memory_bytes >= size)]


def _cpus(_session: Session, field: str, value: Any) -> list[Constraint]:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise Invalid(field, value, f"{text!r} is not a number of CPUs", "a whole number from 1")
    return [Constraint("cpus", text, Node.cpus >= int(text))]


def _arch(_session: Session, field: str, value: Any) -> list[Constraint]:
    return [Constraint("arch", str(value), Node.arch == parse_arch(field, str(value)))]


def _tag(_session: Session, field: str, value: Any) -> list[Constraint]:
    return [
        Constraint("tag", tag, exists().where(NodeTag.node_id == Node.id, NodeTag.tag == tag).correlate(Node))
        for tag in parse_tags(field, value)
    ]


def _zone(session: Session, field: str, value: Any) -> list[Constraint]:
    names = dict(session.execute(select(Zone.name, Zone.id)).all())
    if value not in names:
        raise Invalid(field, value, f"there is no zone {str(value)!r}", sorted(names))
    return [Constraint("zone", str(value), Node.zone_id == names[value])]


def _pool(session: Session, field: str, value: Any) -> list[Constraint]:
    names = dict(session.execute(select(Pool.name, Pool.id)).all())
    if value not in names:
        raise Invalid(field, value, f"there is no pool {str(value)!r}", sorted(names))
    return [Constraint("pool", str(value), Node.pool_id == names[value])]


def _node(session: Session, field: str, value: Any) -> list[Constraint]:
    if session.scalar(select(Node.id).where(Node.name == str(value))) is None:
        raise Invalid(
            field, value, f"there is no node {str(value)!r}", "the name of a node, as GET /api/v1/nodes lists"
        )
    return [Constraint("node", str(value), Node.name == str(value))]


_PARSERS: Mapping[str, Callable[[Session, str, Any], list[Constraint]]] = {
    "mem": _mem,
    "cpus": _cpus,
    "arch": _arch,
    "tag": _tag,
    "zone": _zone,
    "pool": _pool,
    "node": _node,
}


def parse(session: Session, wanted: Mapping[str, Any]) -> list[Constraint]:
    """Constraints from the user's words; empty values ask for nothing.

    :raises Invalid: an unknown name or a value that means nothing (names field, value and what is allowed)
    """
    found: list[Constraint] = []
    for name, value in wanted.items():
        parser = _PARSERS.get(name)
        if parser is None:
            raise Invalid(f"constraints.{name}", value, f"{name!r} is no constraint", NAMES)
        if isinstance(value, bool) or (name != "tag" and isinstance(value, (list, dict))):
            raise Invalid(f"constraints.{name}", value, "it has to be a text or a number")
        if value is None or (isinstance(value, (str, list)) and not value):
            continue
        found += parser(session, f"constraints.{name}", value)
    return found
