"""Events: who, what, when and why."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice

import click

from metalpool_cli import output
from metalpool_cli.api import Document
from metalpool_cli.errors import Interrupted
from metalpool_cli.filters import joined
from metalpool_cli.lazy import Command, examples
from metalpool_cli.output import moment, text
from metalpool_cli.session import Session, pass_session

PACE_SECONDS = 2.0


@click.command(
    cls=Command,
    epilog=examples("metalpool events node=r1u07 'at>=1d' kind~failed", "metalpool events --follow --json | jq -r .kind"),
)
@click.argument("terms", nargs=-1, metavar="[TERM]...")
@click.option("--after", metavar="ID", help="All after this one, instead of the latest.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many, the latest.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens.")
@pass_session
def events(session: Session, terms: tuple[str, ...], after: str | None, limit: int, follow: bool) -> None:
    """Show the latest events of your allocations and of the pools that you operate, one a line; JSON as well. TERMs filter them."""
    wanted = joined(terms)
    if after is None:
        latest = session.api.items("/events", filter=wanted, sort="-id", limit=min(limit, 1000))
        found = list(islice(latest, limit))[::-1]
    else:
        found = list(session.api.items("/events", filter=wanted, after=after, limit=1000))
    _show(session, found)
    last = found[-1]["id"] if found else after
    try:
        while follow:
            time.sleep(PACE_SECONDS)
            for one in session.api.items("/events", filter=wanted, after=last, limit=1000):
                _show(session, [one])
                last = one["id"]
    except KeyboardInterrupt:
        raise Interrupted(f"go on with: metalpool events --follow --after {last}") from None


def _show(session: Session, found: Iterable[Document]) -> None:
    for one in found:
        if session.json:
            output.show_json_line(one)
        else:
            where = " ".join(name for name in (one["node"], one["allocation"]) if name)
            output.say(f"{one['id']}  {moment(one['at'])}  {one['kind']}  {where}  by {one['actor']}  {text(one['detail'])}".rstrip())
