"""Operations: what is under way, what was, and its log."""

from __future__ import annotations

import re
import time
from itertools import islice

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.errors import Failure, Interrupted
from metalpool_cli.filters import filter_options, joined
from metalpool_cli.follow import POLL_PACE, follow_operation
from metalpool_cli.lazy import Command, Group, examples
from metalpool_cli.names import names_of
from metalpool_cli.output import moment, seconds, until
from metalpool_cli.progress import ended, failure, percent
from metalpool_cli.session import Session, pass_session

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FOLLOW_SECONDS = 2.0
_COLUMNS: tuple[output.Column, ...] = (
    ("ID", "id"),
    ("KIND", "kind"),
    ("NODE", "node"),
    ("ALLOCATION", "allocation"),
    ("STATE", "state"),
    ("DONE", lambda one: f"{percent(one)} %"),
    ("STEP", "step"),
    ("ASKED", lambda one: until(one["created_at"])),
)
_STEPS: tuple[output.Column, ...] = (
    ("STEP", "title"),
    ("STATE", "state"),
    ("TIME", lambda one: seconds(one["seconds"]) or None),
    ("LIMIT", lambda one: seconds(one["limit_seconds"])),
    ("MESSAGE", "message"),
)


@click.group(cls=Group)
def operation() -> None:
    """Long work on nodes: commission, deploy, release."""


@operation.command("list", epilog=examples("metalpool operation list state=queued,running", "metalpool operation list kind=deploy r1u07"))
@filter_options
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many at most.")
@pass_session
def list_operations(session: Session, terms: tuple[str, ...], sort: str | None, limit: int) -> None:
    """List operations, the newest first. TERMs filter them."""
    found = session.api.items("/operations", filter=joined(terms), sort=sort, limit=min(limit, 1000))
    session.show_list(_COLUMNS, islice(found, limit), "There is none.")


@operation.command("show")
@click.argument("target")
@pass_session
def show_operation(session: Session, target: str) -> None:
    """Show an operation with its steps: by its id, or the latest of an allocation or node."""
    one = session.api.get(f"/operations/{segment(operation_of(session, target))}")
    session.show(one, lambda: _in_words(one))


@operation.command("watch")
@click.argument("target")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Look at it so long at most; it goes on.")
@pass_session
def watch_operation(session: Session, target: str, wait_timeout: float | None) -> None:
    """Watch an operation until it ends."""
    one = follow_operation(session, operation_of(session, target), "", wait_timeout)
    session.show(one, lambda: None)
    if one["state"] != "succeeded":
        raise Failure(failure(one), one)


@operation.command("cancel")
@click.argument("target")
@pass_session
def cancel_operation(session: Session, target: str) -> None:
    """Cancel an operation: at once while it is queued, else its worker is told within seconds."""
    one = session.api.post(f"/operations/{segment(operation_of(session, target))}/cancel").json
    session.show(one, lambda: output.say(f"{one['kind']} of {one['node']}: {one['state']}, cancel requested"))


@click.command(cls=Command, epilog=examples("metalpool log web1", "metalpool log --follow r1u07"))
@click.argument("target", shell_complete=names_of("/allocations"))
@click.option("--follow", "-f", is_flag=True, help="Go on until the operation ends.")
@pass_session
def log(session: Session, target: str, follow: bool) -> None:
    """Show the log of an operation: by its id, or of the latest of an allocation or node."""
    path, after = f"/operations/{segment(operation_of(session, target))}", 0
    try:
        while True:
            one = session.api.get(path)
            # The state is read first: whatever was logged before the end is among the lines then.
            for line in session.api.items(f"{path}/log", after=after):
                after = line["seq"]
                _show_line(session, line)
            if not follow or ended(one):
                return
            session.api.get(path, wait=FOLLOW_SECONDS, after=one["revision"])
            time.sleep(POLL_PACE)
    except KeyboardInterrupt:
        raise Interrupted(f"the operation goes on: metalpool log --follow {target}") from None


def operation_of(session: Session, target: str) -> str:
    """The id of an operation: given as such, or the latest of an allocation or of a node.

    :raises Failure: it had none
    """
    if UUID.fullmatch(target):
        return target
    one = session.api.find(f"/allocations/{segment(target)}") or session.api.get(f"/nodes/{segment(target)}")
    latest = one["operation"] or next((found["id"] for found in session.api.items("/operations", node=one.get("node") or target)), None)
    if latest is None:
        raise Failure(f"{target} has had no operation yet")
    return str(latest)


def _show_line(session: Session, line: Document) -> None:
    if session.json:
        output.show_json_line(line)
    else:
        output.say(f"{moment(line['at'])}  {(line['step'] or '').ljust(14)}  {line['message']}")


def _in_words(one: Document) -> None:
    output.show_pairs(
        (
            ("id", one["id"]),
            ("kind", one["kind"]),
            ("node", one["node"]),
            ("allocation", one["allocation"]),
            ("state", f"{one['state']}, {percent(one)} %" + (", cancel requested" if one["cancel_requested"] else "")),
            ("reason", one["reason"]),
            ("attempt", one["attempt"]),
            ("asked by", one["requested_by"]),
            ("worker", one["worker"]),
            ("asked", moment(one["created_at"])),
            ("began", moment(one["started_at"])),
            ("ended", moment(one["ended_at"])),
        )
    )
    output.say("")
    output.show_table(_STEPS, one["steps"], "")
