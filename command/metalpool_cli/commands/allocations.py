"""Allocations as they are: list, show, extend, and who waits in line."""

from __future__ import annotations

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.filters import filter_options, joined
from metalpool_cli.lazy import Command, examples
from metalpool_cli.names import names_of
from metalpool_cli.output import moment, until
from metalpool_cli.session import Session, pass_session

COLUMNS: tuple[output.Column, ...] = (
    ("NAME", "name"),
    ("STATE", "state"),
    ("NODE", "node"),
    ("ADDRESS", "address"),
    ("IMAGE", "image"),
    ("ENDS", lambda one: until(one["expires_at"])),
    ("USER", "user"),
)


@click.command(
    "list",
    cls=Command,
    epilog=examples(
        "metalpool list",
        "metalpool list state=failed --json | jq -r '.items[].name'",
        "metalpool list user=kim image~debian --sort expires_at",
        "metalpool list state=released 'released_at>=7d'",
    ),
)
@filter_options
@pass_session
def list_allocations(session: Session, terms: tuple[str, ...], sort: str | None) -> None:
    """List what you hold, the newest first; operators see all of their pools. TERMs filter it."""
    found = session.api.items("/allocations", filter=joined(terms), sort=sort)
    session.show_list(COLUMNS, found, "You hold nothing." if not terms else "You hold no such thing.")


@click.command(cls=Command, epilog=examples("metalpool show web1", "metalpool show web1 --json | jq -r .address"))
@click.argument("name", shell_complete=names_of("/allocations"))
@pass_session
def show(session: Session, name: str) -> None:
    """Show an allocation, or all of a set."""
    held = find(session, name)
    if len(held) == 1:
        session.show(held[0], lambda: show_allocation(held[0]))
    else:
        session.show({"name": name, "items": held}, lambda: output.show_table(COLUMNS, held, ""))


@click.command(cls=Command, epilog=examples("metalpool extend web1 --lease 8h      # eight hours from now"))
@click.argument("name", shell_complete=names_of("/allocations"))
@click.option("--lease", metavar="TIME", help="So long from now: 8h, 2d.")
@click.option("--until", "until_when", metavar="TIME", help="Until then: 2027-01-31T18:00:00Z.")
@click.option("--dry-run", is_flag=True, help="Only say when it would end.")
@pass_session
def extend(session: Session, name: str, lease: str | None, until_when: str | None, dry_run: bool) -> None:
    """Let an allocation end later; a refusal says the latest end that its pool allows."""
    asked = {key: value for key, value in (("lease", lease), ("until", until_when)) if value}
    if len(asked) != 1:
        raise click.UsageError("say either --lease or --until")
    one = session.api.post(f"/allocations/{segment(name)}/extend", asked | {"dry_run": dry_run}).json
    verb = "would end" if dry_run else "ends"
    session.show(one, lambda: output.say(f"{name} {verb} {until(one['expires_at'])}: {moment(one['expires_at'])}"))


@click.command(cls=Command, epilog=examples("metalpool queue"))
@pass_session
def queue(session: Session) -> None:
    """Who waits in line for a node: you, and those who wait for nodes of pools that you operate."""
    waiting = sorted(session.api.items("/allocations", state="waiting"), key=lambda one: (one["place"], one["name"]))
    columns: tuple[output.Column, ...] = (
        ("PLACE", "place"),
        ("NAME", lambda one: one["set"] or one["name"]),
        ("USER", "user"),
        ("SINCE", lambda one: until(one["queued_at"])),
        ("GIVES UP", lambda one: until(one["wait_until"])),
        ("WANTS", "constraints"),
    )
    session.show_list(columns, waiting, "Nobody waits.")


def find(session: Session, name: str) -> list[Document]:
    """What is held under a name: an allocation, or all of a set.

    :raises Refused: neither
    """
    one: Document | None = session.api.find(f"/allocations/{segment(name)}")
    if one is None or one["state"] == "released":
        several = session.api.find(f"/allocation-sets/{segment(name)}")
        if several is not None:
            return list(several["items"])
    return [one if one is not None else session.api.get(f"/allocations/{segment(name)}")]


def show_allocation(one: Document) -> None:
    """One allocation in words; the commands beside it are those that its state allows."""
    output.show_pairs(
        (
            ("name", one["name"]),
            ("state", one["state"] + (f", number {one['place']} in line" if one["place"] else "")),
            ("reason", one["reason"]),
            ("node", one["node"]),
            ("zone", one["zone"]),
            ("pool", one["pool"]),
            ("set", one["set"]),
            ("image", one["image"]),
            ("hostname", one["hostname"]),
            ("address", one["address"]),
            ("addresses", [f"{held['ip']} ({held['subnet']})" for held in one["addresses"]]),
            ("login", f"metalpool ssh {one['name']}   ({one['ssh_user']})" if one["state"] == "active" else None),
            ("host keys", "\n".join(one["host_keys"])),
            ("user", one["user"]),
            ("asked for", one["constraints"]),
            ("note", one["note"]),
            ("annotations", one["annotations"]),
            ("created", moment(one["created_at"])),
            ("ends", one["expires_at"] and f"{until(one['expires_at'])}: {moment(one['expires_at'])}"),
            ("gives up", until(one["wait_until"])),
            ("released", moment(one["released_at"])),
            ("operation", one["operation"]),
        )
    )
