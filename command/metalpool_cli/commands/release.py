"""Give nodes back."""

from __future__ import annotations

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.commands.allocations import find
from metalpool_cli.errors import Failure
from metalpool_cli.follow import follow_operation
from metalpool_cli.lazy import Command, examples
from metalpool_cli.names import names_of
from metalpool_cli.progress import failure
from metalpool_cli.session import Session, pass_session


@click.command(cls=Command, epilog=examples("metalpool release web1", "metalpool release web1 cluster --yes --no-wait"))
@click.argument("names", nargs=-1, required=True, shell_complete=names_of("/allocations"))
@click.option("--wait/--no-wait", default=True, help="Wait until the disks are erased.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Wait so long at most; the work goes on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def release(session: Session, names: tuple[str, ...], wait: bool, wait_timeout: float | None, yes: bool) -> None:
    """Give allocations or sets back: every disk of their nodes is erased. What stands in line leaves it.

    Asked on a terminal only; a script is taken at its word.
    """
    held = {name: find(session, name) for name in names}
    nodes = [one["node"] for several in held.values() for one in several if one["node"] and one["state"] != "released"]
    if nodes and not yes:
        session.confirm(f"Every disk of {', '.join(nodes)} will be erased.")
    begun = [operation for name, several in held.items() for operation in _release(session, name, several)]
    if wait:
        begun = [follow_operation(session, one["id"], "", wait_timeout) for one in begun]
    session.show({"items": begun}, lambda: output.show_lines(_words(one) for one in begun))
    wrong = [one for one in begun if one["state"] in ("failed", "cancelled")]
    if wrong:
        raise Failure(f"{failure(wrong[0])}\n  The node goes to nobody; release it again to try again.", wrong[0])


def _release(session: Session, name: str, several: list[Document]) -> list[Document]:
    """Begin it; the operations."""
    if several[0]["name"] == name:
        operation = session.api.delete(f"/allocations/{segment(name)}")
        if operation is None:
            session.note(f"{name} is released")
        return [operation] if operation else []
    answer = session.api.delete(f"/allocation-sets/{segment(name)}") or {}
    if not answer.get("items"):
        session.note(f"{name} is released")
    return list(answer.get("items", []))


def _words(one: Document) -> str:
    return f"{one['allocation']} ({one['node']}): release {one['state']}"
