"""Constraints on a node's own numbers and kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, and_, not_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import KeyedColumnElement

from inventory_service.constraints.condition import Constraint, Least, Quantity
from inventory_service.constraints.words import CLOCK, LINK, SIZE, WHOLE, Unit, listed, one_of, parse_arch, parse_range, text_of
from inventory_service.models import NODE
from inventory_service.prepared import among
from inventory_service.sizes import approximate_size

Parser = Callable[[Session, str, str, Any], list[Constraint]]
"""Constraints of one word: (session, field for errors, the word as it was typed, its value)."""


def words_of(value: Any) -> str:
    """A value as explanations repeat it."""
    return ",".join(str(one) for one in value) if isinstance(value, list) else str(value)


def within(column: ColumnElement[Any], least: int | None, most: int | None) -> ColumnElement[bool]:
    """Whether a column is in a range; what is unknown is not."""
    bounds = [column >= least] if least is not None else []
    return and_(*bounds, *([column <= most] if most is not None else []))


@dataclass(frozen=True)
class Number:
    """Parses a word that asks for at least a number, or for a range.

    :param least: which of the node's numbers it bounds, for the pick
    :param say: an amount in words
    """

    column: KeyedColumnElement[Any]
    unit: Unit
    say: Callable[[int], str]
    least: str | None = None

    def __call__(self, _session: Session, field: str, name: str, value: Any) -> list[Constraint]:
        """The constraint."""
        return [_number(self, field, name, text_of(field, value))]


@lru_cache(1024)
def _number(kind: Number, field: str, name: str, text: str) -> Constraint:
    """Made once for the same words, which are asked for again and again: what is compiled of it is, too."""
    least, most = parse_range(field, text, kind.unit)
    bound = Least(**{kind.least: least}) if kind.least and least else Least()
    quantity = Quantity(kind.column, least, most, kind.say)
    return Constraint(name, text, within(kind.column, least, most), bound, quantity)


def number_of(what: str) -> Callable[[int], str]:
    """Says a number of countable things."""
    return lambda amount: f"{amount} {what}" + ("" if amount == 1 else "s")


mem = Number(NODE.memory_bytes, SIZE, lambda amount: f"{approximate_size(amount)} of memory", "memory_bytes")
cpus = Number(NODE.cpus, WHOLE, number_of("CPU"), "cpus")
cpu_speed = Number(NODE.cpu_mhz, CLOCK, lambda amount: f"{amount} MHz")
link_speed = Number(NODE.link_mbps, LINK, lambda amount: f"{amount} Mbit/s of link speed")
numa = Number(NODE.numa_nodes, WHOLE, number_of("NUMA node"))
gpus = Number(NODE.gpus, WHOLE, number_of("GPU"), "gpus")


def arch(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """Any of several architectures."""
    known = [parse_arch(field, word) for word in listed(field, value, "architecture")]
    return [Constraint(name, words_of(value), among(NODE.arch, tuple(known)))]


def not_arch(session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """None of several architectures."""
    return [Constraint(name, one.value, not_(one.condition)) for one in arch(session, field, name, value)]


_POWER = {"on": "on", "off": "off", "unknown": "unknown", "true": "on", "yes": "on", "false": "off", "no": "off"}
_FIRMWARE = {"bios": "bios", "uefi": "uefi"}
_TPM = {"1.2": ("1.2",), "2.0": ("2.0",), "any": ("1.2", "2.0"), "none": ()}


def power(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """Any of several power states; YAML reads ``on`` as true."""
    text = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
    return [Constraint(name, words_of(text), NODE.power_state.in_(one_of(field, text, _POWER)))]


def firmware(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """Any of several kinds of firmware."""
    return [Constraint(name, words_of(value), NODE.firmware.in_(one_of(field, value, _FIRMWARE)))]


def tpm(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """A TPM of any of several versions, or ``none``."""
    versions = one_of(field, "2.0" if value == 2 else value, _TPM)
    has_it = NODE.tpm.in_([one for version in versions for one in version])
    return [Constraint(name, words_of(value), has_it | NODE.tpm.is_(None) if () in versions else has_it)]
