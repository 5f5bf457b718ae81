"""Import of the inventory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Request


class Import(Request):
    """Nothing is changed unless `dry_run` is false. `prune` deletes what the document does not name of its kinds."""

    dry_run: bool = True
    prune: bool = False


class Change(Answer):
    kind: str
    key: str
    change: Literal["added", "changed", "removed"]
    fields: list[str] = Field(description="what is different, for a change")


class Counts(Answer):
    added: int
    changed: int
    removed: int
    unchanged: int


class Imported(Answer):
    """What is different now, or would be. `left_out` says what could not be applied yet."""

    dry_run: bool
    changes: list[Change]
    counts: Counts
    left_out: list[str]
