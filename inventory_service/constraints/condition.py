"""One thing that a node must have, as SQL, and what is known of it for the pick and for explanations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlalchemy.sql.elements import KeyedColumnElement

from inventory_service.models import NODE
from inventory_service.prepared import at_least

_SUMS = ("storage_bytes", "gpus", "link_mbps")


@dataclass(frozen=True)
class Least:
    """What every node that meets a constraint has at least, in its columns. From it follows the least that it costs."""

    cpus: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    gpus: int = 0
    link_mbps: int = 0

    @property
    def bounds(self) -> list[ColumnElement[bool]]:
        """What follows from it for the sums over a node's parts, which can be decided without a look at the parts."""
        return [at_least(NODE[name], least) for name in _SUMS if (least := getattr(self, name))]

    def and_also(self, other: Least) -> Least:
        """What a node has at least that meets both."""
        return Least(**{one.name: max(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)})


@dataclass(frozen=True)
class Quantity:
    """A number of a node and the range that it has to be in, so that it can be said how much is missing.

    :param column: the node's number
    :param say: an amount in words, such as ``4 GiB of memory``
    """

    column: KeyedColumnElement[Any]
    least: int | None
    most: int | None
    say: Callable[[int], str]


@dataclass(frozen=True)
class Constraint:
    """One thing that a node must have.

    :param name: how the user calls it
    :param value: the user's own words
    :param condition: SQL over the table of nodes
    :param among: the ids of the nodes that meet it, where an index leads to them
    """

    name: str
    value: str
    condition: ColumnElement[bool]
    least: Least = Least()
    quantity: Quantity | None = None
    among: Select[int] | None = None
