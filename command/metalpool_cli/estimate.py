"""How long an operation still takes, learned from those of its kind that went well."""

from __future__ import annotations

from statistics import median

from metalpool_cli.api import Api, Document
from metalpool_cli.errors import Failure

LEARNED_FROM = 20


class Estimate:
    """What each step of one kind of operation mostly takes.

    :param typical: seconds by the names of the steps; empty when nothing is known
    """

    def __init__(self, typical: dict[str, float]) -> None:
        self._typical = typical

    @classmethod
    def learned(cls, api: Api, kind: str) -> Estimate:
        """From the latest operations that the caller may see; nothing is known when there are none."""
        try:
            seen = api.get("/operations", kind=kind, state="succeeded", limit=LEARNED_FROM)["items"]
        except Failure:
            return cls({})  # an estimate is not worth an error
        taken: dict[str, list[float]] = {}
        for step in (step for one in seen for step in one["steps"] if step["seconds"] is not None):
            taken.setdefault(step["name"], []).append(step["seconds"])
        return cls({name: median(seconds) for name, seconds in taken.items()})

    def left(self, operation: Document, elapsed: float) -> float | None:
        """Seconds until it ends, so many seconds after it was read; None when nothing is known."""
        open_steps = [step for step in operation["steps"] if not step["ended_at"]]
        if not self._typical:
            return None
        # A step that took no part in any of them takes none in this one.
        typical = [(step, self._typical.get(step["name"], 0.0)) for step in open_steps]
        return sum(max(0.0, mostly - ((step["seconds"] or 0) + elapsed if step["started_at"] else 0)) for step, mostly in typical)
