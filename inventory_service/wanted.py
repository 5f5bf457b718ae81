"""What a user asks for: one request, as the API got it, and as it waits in line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Wanted:
    """A request for a node.

    :param constraints: what the node must have, in the user's own words
    :param prefer: what it should rather have, in the same words; ranks, excludes nothing
    :param not_with: allocations (or sets of them) whose nodes it must not be
    :param spread: with ``not_with``: not in the same place either, such as ``zone``
    :param image: the image to deploy; the node has to be able to boot it
    :param deploy: whether it is deployed at once, which needs a root disk that is clear
    :param addresses: an address of each subnet, by the subnet's name
    :param lease: how long, or until when, as it was typed: ``8h``; counted from the moment the node is got
    :param credentials: encrypted
    """

    name: str | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)
    prefer: Any = None
    not_with: Any = None
    spread: Any = None
    image: str | None = None
    deploy: bool = True
    hostname: str | None = None
    root_disk: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    lease: str | None = None
    credentials: str | None = None

    def document(self) -> dict[str, Any]:
        """What is kept of it while it waits; the credentials have a column of their own."""
        return {
            name: value for name, value in vars(self).items() if name != "credentials" and value not in (None, {}, [], "")
        }

    @classmethod
    def of(cls, document: Mapping[str, Any], credentials: str | None = None) -> Wanted:
        """The request that ``document`` kept."""
        return cls(**{name: value for name, value in document.items() if name in _NAMES}, credentials=credentials)


_NAMES = frozenset(one.name for one in fields(Wanted)) - {"credentials"}


@dataclass(frozen=True)
class WantedSet:
    """A request for several nodes at once.

    :param each: what is asked of every one; its ``spread`` is theirs, and also where they are not to be with others
    :param count: how many
    :param least: how many at least; fewer are none
    :param same: what all of them share, such as ``zone``
    """

    each: Wanted
    count: int
    least: int
    same: Any = None

    def document(self) -> dict[str, Any]:
        """What is kept of it while it waits."""
        return self.each.document() | {"set": {"count": self.count, "least": self.least, "same": self.same}}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> WantedSet | None:
        """The request that ``document`` kept, without credentials; None when it is one for a single node."""
        kept = document.get("set")
        return cls(each=Wanted.of(document), **kept) if kept else None
