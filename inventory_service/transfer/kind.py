"""What a kind of record has to know to be exported and imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from inventory_service.api.schemas.common import Request
from inventory_service.services import Services

Entry = dict[str, Any]
Key = tuple[str, ...]


@dataclass
class Work:
    """One import.

    :param left_out: what could not be applied yet, by its place in the document
    :param secrets: what changed and is not shown: the kinds' names and keys, and the field
    """

    session: Session
    services: Services
    actor: str
    left_out: list[str] = field(default_factory=list)
    secrets: list[tuple[str, Key, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    :param name: how the document calls the list of them
    :param entry: what an entry may say
    :param read: all of them, as entries that say everything, in a fixed order
    :param write: make or change one: what differs of the entry, and what it was (None: it was not there)
    :param remove: delete one by its entry; None: an import never does
    :param key: the fields that say which one it is
    """

    name: str
    entry: type[Request]
    read: Callable[[Session], list[Entry]]
    write: Callable[[Work, Entry, Entry, Entry | None], None]
    remove: Callable[[Work, Entry], None] | None = None
    key: tuple[str, ...] = ("name",)

    def key_of(self, entry: Mapping[str, Any]) -> Key:
        """Which one an entry is about."""
        return tuple(str(entry.get(field) or "") for field in self.key)
