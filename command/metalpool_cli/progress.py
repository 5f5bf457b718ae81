"""Successive versions of an operation as lines: each step when it starts and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from metalpool_cli.output import seconds

Operation = Mapping[str, Any]
OPEN = ("queued", "running")


def ended(operation: Operation) -> bool:
    """Whether it has come to its end, good or bad."""
    return operation["state"] not in OPEN


def percent(operation: Operation) -> int:
    """How many of its steps are done."""
    steps = operation["steps"]
    return 100 * sum(1 for step in steps if step["ended_at"]) // len(steps) if steps else 0


def current(operation: Operation) -> Mapping[str, Any] | None:
    """The step that is running."""
    return next((step for step in operation["steps"] if step["started_at"] and not step["ended_at"]), None)


def failure(operation: Operation) -> str:
    """Why it did not succeed, and where to read on."""
    where = f" in step {operation['step']}" if operation["step"] else ""
    return (
        f"{operation['kind']} of {operation['node']} {operation['state']}{where}: {operation['reason'] or 'no reason was given'}\n"
        f"  Its log: metalpool log {operation['id']}"
    )


class Lines:
    """What is new in each version.

    :param label: how the lines begin, such as the name of the allocation
    :param begins: also when a step begins, where no live line shows what is running
    """

    def __init__(self, label: str, begins: bool) -> None:
        self._label = label
        self._begins = begins
        self._steps: dict[str, str] = {}
        self._state = ""
        self._attempt: int | None = None

    def of(self, operation: Operation) -> Iterator[str]:
        """The lines that are new in this version."""
        head = f"{self._label}: {operation['kind']}"
        if operation["attempt"] != self._attempt:
            if self._attempt is not None:
                yield f"{head}: attempt {operation['attempt']}"
                self._steps.clear()
            self._attempt = operation["attempt"]
        if operation["state"] != self._state and operation["state"] == "queued":
            yield f"{head}: queued, waiting for a worker"
        for number, step in enumerate(operation["steps"], 1):
            if step["started_at"] and self._steps.get(step["name"]) != step["state"]:
                self._steps[step["name"]] = step["state"]
                if not (step["ended_at"] or self._begins):
                    continue
                done = 100 * (number if step["ended_at"] else number - 1) // len(operation["steps"])
                yield f"{head} {number}/{len(operation['steps'])} {done:3d} % {_step(step)}"
        if operation["state"] != self._state and ended(operation):
            reason = f": {operation['reason']}" if operation["reason"] else ""
            yield f"{head}: {operation['state']}{reason}"
        self._state = operation["state"]


def _step(step: Mapping[str, Any]) -> str:
    if not step["ended_at"]:
        return f"{step['title']} ... (limit {seconds(step['limit_seconds'])})"
    message = f" ({step['message']})" if step["message"] else ""
    return f"{step['title']}: {step['state']} in {seconds(step['seconds'])}{message}"
