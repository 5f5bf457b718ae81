"""The words of constraints: one table, from a word to the parser of its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from inventory_service.constraints import columns, devices, disks, interfaces, networks, places
from inventory_service.constraints.columns import Parser
from inventory_service.constraints.condition import Constraint
from inventory_service.constraints.disks import Root
from inventory_service.constraints.words import text_of
from inventory_service.expressions import check_expression
from inventory_service.problems import Invalid

WORDS: Mapping[str, Parser] = {
    "node": places.node,
    "not_node": places.none_of(places.node),
    "arch": columns.arch,
    "not_arch": columns.not_arch,
    "cpus": columns.cpus,
    "cpu_speed": columns.cpu_speed,
    "mem": columns.mem,
    "tag": places.tags,
    "tags": places.tags,
    "not_tag": places.none_of(places.tags),
    "not_tags": places.none_of(places.tags),
    "zone": places.zone,
    "not_zone": places.none_of(places.zone),
    "pool": places.pool,
    "not_pool": places.none_of(places.pool),
    "fabric": networks.on(networks.FINDERS["fabric"]),
    "not_fabric": places.none_of(networks.on(networks.FINDERS["fabric"])),
    "subnet": networks.on(networks.FINDERS["subnet"]),
    "not_subnet": places.none_of(networks.on(networks.FINDERS["subnet"])),
    "vlan": networks.on(networks.FINDERS["vlan"]),
    "not_vlan": places.none_of(networks.on(networks.FINDERS["vlan"])),
    "space": networks.on(networks.FINDERS["space"]),
    "link_speed": columns.link_speed,
    "power": columns.power,
    "firmware": columns.firmware,
    "tpm": columns.tpm,
    "numa": columns.numa,
    "gpus": columns.gpus,
    "disks": disks.disks,
    "interfaces": interfaces.interfaces,
    "devices": devices.devices,
}
EXPRESSION = "where"
"""The word whose value is a Jinja2 expression: it is no SQL, see ``where.py``."""
NAMES = (*WORDS, EXPRESSION)
_PAIR = re.compile(r"\s*([a-z_]+)\s*=")


def is_empty(value: Any) -> bool:
    """Whether a value asks for nothing: a variable of a playbook that was left out."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def parse(session: Session, wanted: Mapping[str, Any], root: Root | None = None) -> list[Constraint]:
    """Constraints from the user's words; empty values ask for nothing.

    :param root: what the first of ``disks`` has to be besides
    :raises Invalid: an unknown word or a value that means nothing (names field, value and what is allowed)
    """
    found: list[Constraint] = []
    for name, value in wanted.items():
        field = f"constraints.{name}"
        if name not in NAMES:
            raise Invalid(field, value, f"{name!r} is no constraint", NAMES)
        if is_empty(value):
            continue
        if name == EXPRESSION:
            check_expression(field, text_of(field, value))
        elif name == "disks" and root is not None:
            found.append(disks.constraint(field, name, value, root))
        else:
            found += WORDS[name](session, field, name, value)
    return found


def parse_preferences(session: Session, prefer: Any) -> list[Constraint]:
    """Preferences in the words of constraints, the most important first.

    :param prefer: a dictionary, a text such as ``zone=a, mem=64G..``, or a list of these
    :raises Invalid: an unknown word or a value that means nothing
    """
    found: list[Constraint] = []
    for name, value in _pairs(prefer):
        field = f"prefer.{name}"
        if name not in WORDS:
            raise Invalid(field, value, f"{name!r} cannot be preferred", WORDS)
        if not is_empty(value):
            found += WORDS[name](session, field, name, value)
    return found


def _pairs(prefer: Any) -> Iterator[tuple[str, Any]]:
    if is_empty(prefer):
        return
    if isinstance(prefer, Mapping):
        yield from prefer.items()
    elif isinstance(prefer, list):
        for one in prefer:
            yield from _pairs(one)
    elif isinstance(prefer, str):
        yield from _pairs_of_text(prefer)
    else:
        raise Invalid("prefer", prefer, "it has to be words as in constraints", "zone=a, or a list of such words")


def _pairs_of_text(text: str) -> Iterator[tuple[str, str]]:
    """``zone=a,b, mem=64G`` is two words: what has no ``=`` belongs to the word before it."""
    pairs: list[tuple[str, str]] = []
    for part in text.split(","):
        start = _PAIR.match(part)
        if start:
            pairs.append((start[1], part[start.end() :].strip()))
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{part.strip()}")
        elif part.strip():
            raise Invalid("prefer", text, f"{part.strip()!r} is not a word with its value", "zone=a, mem=64G..")
    yield from pairs
