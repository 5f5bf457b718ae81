"""Acquire a node or several, and deploy them."""

from __future__ import annotations

from typing import Any

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.commands.allocations import COLUMNS, find, show_allocation
from metalpool_cli.errors import Failure, TimedOut
from metalpool_cli.explain import show_plan
from metalpool_cli.follow import follow_line, follow_operation
from metalpool_cli.lazy import Command, examples
from metalpool_cli.names import names_of
from metalpool_cli.progress import failure
from metalpool_cli.request import deployment, deployment_options, plan, post_with_keys, request, request_options
from metalpool_cli.session import Session, pass_session

DEPLOYABLE = ("allocated", "failed")


@click.command(
    cls=Command,
    epilog=examples(
        "metalpool acquire web1 --mem 32G --zone a --image debian-12 --lease 8h",
        "metalpool acquire train1 --devices '2 x gpu model=A100' --image debian-12 --wait",
        "metalpool acquire cluster --count 8 --same zone --cpus 16 --image debian-12",
        "metalpool acquire --mem 64G --image debian-12 --dry-run",
    ),
)
@click.argument("name", required=False)
@request_options
@click.option("--wait/--no-wait", default=None, help="Stand in line when nothing is free; or wait for nothing. By default: for the deploy.")
@click.option("--queue", is_flag=True, help="Stand in line when nothing is free, also with --no-wait.")
@click.option("--queue-timeout", metavar="TIME", help="Stand in line so long at most: 2h.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Look at it so long at most; the work goes on.")
@click.option("--dry-run", is_flag=True, help="Say which node it would be, and take none.")
@click.option("--idempotency-key", metavar="KEY", help="The same key asks for the same thing once.")
@pass_session
def acquire(
    session: Session,
    wait: bool | None,
    queue: bool,
    queue_timeout: str | None,
    wait_timeout: float | None,
    dry_run: bool,
    idempotency_key: str | None,
    **given: Any,
) -> None:
    """Acquire a node that fits, with an operating system and your SSH key on it.

    Run again with the same NAME, it changes nothing and shows the same node; a deploy that failed is tried again.
    """
    if queue_timeout and not (queue or wait):
        raise click.UsageError("--queue-timeout is for --wait or --queue")
    asked = request(given, queue=queue or bool(wait), queue_timeout=queue_timeout)
    if dry_run:
        show_plan(session, plan(session.api, asked))
        return
    is_set = "count" in asked
    answer = post_with_keys(session.api, "/allocation-sets" if is_set else "/allocations", asked, idempotency_key)
    held: list[Document] = answer.json["items"] if is_set else [answer.json]
    if answer.status == 200 and asked.get("deploy", True):
        session.note(f"{asked.get('name')} is there already")
        held = [_again(session, one, given) if one["state"] in DEPLOYABLE else one for one in held]
    _finish(session, held, wait_for_nothing=wait is False, limit=wait_timeout)


@click.command(
    cls=Command, epilog=examples("metalpool deploy web1 --image debian-13", "metalpool deploy web1      # a deploy that failed, again")
)
@click.argument("name", shell_complete=names_of("/allocations"))
@deployment_options
@click.option("--no-wait", is_flag=True, help="Do not wait for it.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Look at it so long at most; the work goes on.")
@click.option("--yes", is_flag=True, help="Do not ask before what is installed is lost.")
@pass_session
def deploy(session: Session, name: str, no_wait: bool, wait_timeout: float | None, yes: bool, **given: Any) -> None:
    """Install an operating system on what you hold: for the first time, after a failure, or another one."""
    one = session.api.get(f"/allocations/{segment(name)}")
    if one["state"] == "active" and not yes:
        session.confirm(f"{name} runs {one['image']}. Everything on its root disk will be lost.")
    _finish(session, [_again(session, one, given)], wait_for_nothing=no_wait, limit=wait_timeout)


@click.command(cls=Command, epilog=examples("metalpool watch web1"))
@click.argument("name", shell_complete=names_of("/allocations"))
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Look at it so long at most; the work goes on.")
@pass_session
def watch(session: Session, name: str, wait_timeout: float | None) -> None:
    """Watch an allocation or a set until it is what it shall be: through the line, the deploy or the release."""
    _finish(session, find(session, name), wait_for_nothing=False, limit=wait_timeout)


def _again(session: Session, one: Document, given: Any) -> Document:
    """Deploy what is held; the allocation as it is then."""
    path = f"/allocations/{segment(one['name'])}"
    post_with_keys(session.api, f"{path}/deploy", deployment(given))
    deploying: Document = session.api.get(path)
    return deploying


def _finish(session: Session, held: list[Document], *, wait_for_nothing: bool, limit: float | None) -> None:
    """Watch what was begun, and show how it ended.

    :raises Failure: an operation failed, or there was no node before the time in line was over
    """
    ended: list[Document] = []
    if not wait_for_nothing:
        held = _through_the_line(session, held, limit)
        ended = [_ended(session, one, limit) for one in held if one["operation"] and one["state"] in ("deploying", "releasing")]
        held = [_now(session, one) for one in held] if ended else held
    if held[0]["set"]:
        document = {"name": held[0]["set"], "items": held}
        session.show(document, lambda: output.show_table(COLUMNS, held, ""))
    else:
        session.show(held[0], lambda: show_allocation(held[0]))
    for operation in ended:
        if operation["state"] != "succeeded":
            raise Failure(f"{failure(operation)}\n  Again: metalpool {operation['kind']} {operation['allocation']}", operation)
    for one in held:
        if one["state"] == "released" and one["held_since"] is None:
            raise TimedOut(f"{one['set'] or one['name']} got no node: {one['reason']}", one)
        if one["state"] == "failed":
            raise Failure(f"{one['name']} failed: {one['reason']}. See metalpool why {one['name']}", one)


def _through_the_line(session: Session, held: list[Document], limit: float | None) -> list[Document]:
    waiting = next((one for one in held if one["state"] == "waiting"), None)
    if waiting is None:
        return held
    one = follow_line(session, waiting, limit)
    return [one] if one["state"] == "released" else find(session, one["set"] or one["name"])


def _ended(session: Session, one: Document, limit: float | None) -> Document:
    """The operation under way, as it ended."""
    return follow_operation(session, one["operation"], one["name"], limit)


def _now(session: Session, one: Document) -> Document:
    """The allocation as it is now; as it was when it is gone."""
    found: Document | None = session.api.find(f"/allocations/{segment(one['name'])}")
    return one if found is None else found
