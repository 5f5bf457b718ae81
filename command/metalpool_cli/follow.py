"""Watching what takes long. The work is the service's: whoever stops watching stops nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from metalpool_cli.api import Api, Document, segment
from metalpool_cli.errors import Interrupted, TimedOut
from metalpool_cli.estimate import Estimate
from metalpool_cli.live import Live
from metalpool_cli.output import seconds
from metalpool_cli.progress import Lines, current, ended, percent
from metalpool_cli.session import Session

POLL_SECONDS = 25.0
POLL_PACE = 0.5
PLACE_SECONDS = 10.0
"""Whoever stands in line is told of a new place after so long at most; a node ends the wait at once."""
PATIENCE_SECONDS = 600.0
"""So long may the service be away while something is watched."""


def polls(limit: float | None) -> Iterator[float]:
    """Seconds that the next long poll may ask for, until ``limit`` (None: for ever) is over; one is made at least.

    A service that answers at once, because too many wait, is not asked again before `POLL_PACE` is over.
    """
    started = time.monotonic()
    while True:
        begun = time.monotonic()
        left = POLL_SECONDS if limit is None else started + limit - begun
        yield max(1.0, min(POLL_SECONDS, left))
        if limit is not None and time.monotonic() >= started + limit:
            return
        time.sleep(max(0.0, begun + POLL_PACE - time.monotonic()))


def follow_operation(session: Session, operation_id: str, label: str = "", limit: float | None = None) -> Document:
    """Show an operation's progress until it has ended.

    :returns: it, as it ended
    :raises TimedOut: it goes on after so many seconds
    :raises Interrupted: somebody pressed Ctrl-C
    """
    api, path = _patient(session), f"/operations/{segment(operation_id)}"
    again = f"it goes on. Watch it again: metalpool operation watch {operation_id}"
    one: Document = api.get(path)
    name = label or one["allocation"] or one["node"]
    with Live(sys.stderr, session.quiet) as live:
        lines = Lines(name, begins=not live.is_live)
        estimate = Estimate.learned(api, one["kind"]) if live.is_live and not ended(one) else Estimate({})
        try:
            for wait in polls(limit):
                for line in lines.of(one):
                    live.say(line)
                if ended(one):
                    return one
                live.change(_line(name, one, estimate))
                one = api.get(path, wait=wait, after=one["revision"])
            for line in lines.of(one):
                live.say(line)
        except KeyboardInterrupt:
            raise Interrupted(f"{one['kind']} of {one['node']} is {one['state']}; {again}", one) from None
    if ended(one):
        return one
    raise TimedOut(f"{one['kind']} of {one['node']} has not ended within {seconds(limit)}; {again}", one)


def follow_line(session: Session, allocation: Document, limit: float | None = None) -> Document:
    """Show the place in line until there is a node, or none to be had.

    :raises TimedOut: it stands in line after so many seconds, and keeps its place
    :raises Interrupted: somebody pressed Ctrl-C
    """
    api, path = _patient(session), f"/allocations/{segment(allocation['name'])}"
    called, one, told = allocation["set"] or allocation["name"], allocation, ""
    again = f"it keeps its place. Watch it again: metalpool watch {allocation['name']}; leave the line: metalpool release {called}"
    with Live(sys.stderr, session.quiet) as live:
        try:
            for wait in polls(limit):
                if one["state"] != "waiting":
                    return one
                place = f"{called}: number {one['place']} in line" + _end(one)
                if place != told:
                    live.say(place)
                told = place
                live.change(lambda elapsed, place=place: f"{place}, {seconds(elapsed)}")  # type: ignore[misc]
                one = api.get(path, wait=min(wait, PLACE_SECONDS))
        except KeyboardInterrupt:
            raise Interrupted(f"{called} is number {one['place']} in line; {again}", one) from None
    if one["state"] != "waiting":
        return one
    raise TimedOut(f"{called} is number {one['place']} in line after {seconds(limit)}; {again}", one)


def _patient(session: Session) -> Api:
    session.api.patience = max(session.api.patience, PATIENCE_SECONDS)
    return session.api


def _end(one: Document) -> str:
    return f", until {one['wait_until']} at the latest" if one.get("wait_until") else ""


def _line(name: str, one: Document, estimate: Estimate) -> Callable[[float], str]:
    """The live line of an operation, made of the seconds since it was read."""
    step, head = current(one), f"{name}: {one['kind']} {percent(one)} %"

    def made(elapsed: float) -> str:
        left = estimate.left(one, elapsed)
        about = f", about {seconds(left)} left" if left else ""
        if step is None:
            return f"{head} {one['state']}, {seconds(elapsed)}{about}"
        spent = f"{seconds((step['seconds'] or 0) + elapsed)} of {seconds(step['limit_seconds'])} at most"
        return f"{head}{about}: {step['title']}, {spent}"

    return made
