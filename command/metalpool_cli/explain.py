"""What a request would get, in words."""

from __future__ import annotations

from metalpool_cli import output
from metalpool_cli.api import Document
from metalpool_cli.session import Session

_COLUMNS: tuple[output.Column, ...] = (
    ("NODE", "node"),
    ("ZONE", "zone"),
    ("POOL", "pool"),
    ("COST", lambda one: f"{one['cost']:g}"),
    ("PREFERENCES MET", lambda one: [f"{p['constraint']}={p['value']}" for p in one["preferences"] if p["met"]] or None),
    ("ROOT DISK", "root_disk"),
    ("UNUSED SINCE", lambda one: output.moment(one["last_used_at"])),
)


def show_plan(session: Session, plan: Document) -> None:
    """The nodes that it would be, best first, or that it would stand in line."""

    def in_words() -> None:
        if plan["would_wait"]:
            output.show_pairs([("now", "nothing is free"), ("then", "it would stand in line")])
        output.show_table(_COLUMNS, plan["candidates"], "")

    session.show(plan, in_words)
