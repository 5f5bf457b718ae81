"""``disks``: the first entry is for ``/``, the others for whatever the user has in mind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select, true
from sqlalchemy.orm import Session

from inventory_service.constraints.columns import within
from inventory_service.constraints.condition import Constraint, Least
from inventory_service.constraints.entries import Entry, parse_entries
from inventory_service.constraints.matching import Demand, can_be_met, still_met
from inventory_service.constraints.words import SIZE, listed, one_of, parse_range, parse_tags, text_of
from inventory_service.models import Disk, DiskTag

KINDS = {"nvme": "nvme", "ssd": "ssd", "hdd": "hdd"}
_disk, _disk_tag = Disk.__table__.c, DiskTag.__table__.c
EXAMPLE = "1T nvme, 4 x hdd 2T.., 500G ssd tag=fast"


@dataclass(frozen=True)
class Root:
    """What the disk for ``/`` has to be besides.

    :param serial: this very disk
    :param least_bytes: room for the image
    """

    serial: str | None = None
    least_bytes: int = 0


def _size(field: str, value: Any) -> ColumnElement[bool]:
    return within(_disk.size_bytes, *parse_range(field, value, SIZE))


def _kind(field: str, value: Any) -> ColumnElement[bool]:
    words = value.replace("|", ",") if isinstance(value, str) else value
    return _disk.kind.in_(one_of(field, words, KINDS))


def _tags(field: str, value: Any) -> ColumnElement[bool]:
    return and_(
        *(exists().where(_disk_tag.disk_id == _disk.id, _disk_tag.tag == tag).correlate(Disk.__table__) for tag in parse_tags(field, value))
    )


def _model(field: str, value: Any) -> ColumnElement[bool]:
    return func.lower(_disk.model).contains(text_of(field, value).lower(), autoescape=True)


def _serial(field: str, value: Any) -> ColumnElement[bool]:
    return _disk.serial.in_(listed(field, value, "serial"))


_KEYS: Mapping[str, Callable[[str, Any], ColumnElement[bool]]] = {
    "size": _size,
    "kind": _kind,
    "tag": _tags,
    "tags": _tags,
    "model": _model,
    "serial": _serial,
}


def _bare(word: str) -> tuple[str, Any] | None:
    if all(one in KINDS for one in word.lower().split("|")):
        return "kind", word
    return ("size", word) if word[:1].isdigit() or word.startswith("..") else None


def _condition(entry: Entry) -> ColumnElement[bool]:
    return and_(true(), *(_KEYS[key](f"{entry.field}.{key}", value) for key, value in entry.values.items()))


def _can_be_named() -> ColumnElement[bool]:
    """A disk is chosen by its serial number, so that has to be its own."""
    other = Disk.__table__.alias().c
    shared = exists().where(other.node_id == _disk.node_id, other.serial == _disk.serial, other.id != _disk.id)
    return (_disk.serial != "") & ~shared.correlate(Disk.__table__)


def _demands(entries: list[Entry], root: Root) -> list[Demand]:
    """The first is the one disk for ``/``; what more the first entry asks for comes last."""
    demands = [Demand(one.count, _condition(one)) for one in entries]
    first = demands[0]
    named = and_(first.condition, _can_be_named(), _disk.size_bytes >= root.least_bytes)
    if root.serial:
        named = and_(named, _disk.serial == root.serial)
    rest = [first._replace(parts=first.parts - 1)] if first.parts > 1 else []
    return [Demand(1, named), *demands[1:], *rest]


def _entries(field: str, value: Any) -> list[Entry]:
    return parse_entries(field, value, _KEYS, _bare, EXAMPLE)


def _least(entries: list[Entry]) -> Least:
    sizes = [
        (one.count, parse_range(f"{one.field}.size", one.values["size"], SIZE).least or 0)
        for one in entries
        if "size" in one.values
    ]
    return Least(storage_bytes=sum(count * size for count, size in sizes))


def constraint(field: str, name: str, value: Any, root: Root) -> Constraint:
    """The node has different disks for all entries, the first of which can hold ``/``."""
    entries = _entries(field, value)
    met = can_be_met(_disk.node_id, _demands(entries, root))
    return Constraint(name, ", ".join(str(one) for one in entries), met, _least(entries))


def disks(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """The parser of the word."""
    return [constraint(field, name, value, Root())]


def root_disk(session: Session, node_id: int, field: str, value: Any, root: Root) -> str | None:
    """The serial number of the smallest disk that can hold ``/`` while the other entries can still be met."""
    demands = _demands(_entries(field, value), root)
    found = session.execute(
        select(_disk.serial, *(one.condition for one in demands))
        .where(_disk.node_id == node_id)
        .order_by(_disk.size_bytes, _disk.id)
    ).all()
    matches = [[bool(one) for one in row[2:]] for row in found]
    counts = [one.parts for one in demands[1:]]
    fitting = (
        row[0] for index, row in enumerate(found) if row[1] and still_met(matches, counts, without=index)
    )
    return next(fitting, None)
