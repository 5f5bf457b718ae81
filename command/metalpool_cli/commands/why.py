"""Why there is no node, or which one it would be; why something failed or waits."""

from __future__ import annotations

from typing import Any

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.commands.allocations import find, show_allocation
from metalpool_cli.explain import show_plan
from metalpool_cli.lazy import Command, examples
from metalpool_cli.names import names_of
from metalpool_cli.progress import failure
from metalpool_cli.request import plan, request, request_options
from metalpool_cli.session import Session, pass_session

LAST_LINES = 15


@click.command(
    cls=Command,
    epilog=examples("metalpool why --mem 900G --zone a", "metalpool why web1", "metalpool why --count 8 --same zone --cpus 32"),
)
@click.argument("name", required=False, shell_complete=names_of("/allocations"))
@request_options
@pass_session
def why(session: Session, name: str | None, **given: Any) -> None:
    """Explain: with constraints, what excludes which nodes, or which one would be taken; with NAME, why it failed or waits.

    Ends with 7 when no node fits now.
    """
    given["no_deploy"] = given["no_deploy"] or not given["image"]
    if name is None:
        show_plan(session, plan(session.api, request(given | {"name": None})))
        return
    one = find(session, name)[0]
    if one["state"] == "waiting":
        _why_it_waits(session, one)
    elif one["operation"] and one["state"] in ("failed", "releasing", "deploying"):
        _why_it_failed(session, one)
    else:
        session.show(one, lambda: show_allocation(one))


def _why_it_waits(session: Session, one: Document) -> None:
    """What a new request in the same words would be told."""
    session.note(f"{one['set'] or one['name']} is number {one['place']} in line")
    asked = {"constraints": one["constraints"], "deploy": False}
    show_plan(session, plan(session.api, asked))


def _why_it_failed(session: Session, one: Document) -> None:
    operation = session.api.get(f"/operations/{segment(one['operation'])}")
    if operation["state"] in ("queued", "running"):
        session.show(operation, lambda: output.say(f"{operation['kind']} is {operation['state']}: metalpool watch {one['name']}"))
        return
    lines = list(session.api.items(f"/operations/{segment(operation['id'])}/log"))[-LAST_LINES:]
    session.show(operation, lambda: _in_words(operation, lines))


def _in_words(operation: Document, lines: list[Document]) -> None:
    output.say(failure(operation))
    for line in lines:
        output.say(f"    {line['message']}")
