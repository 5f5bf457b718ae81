# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell people about an operation while it goes on. Private to this collection."""
from __future__ import annotations

import typing as t

OPEN_STATES = ("queued", "running")


def ended(operation: t.Mapping[str, t.Any]) -> bool:
    """Whether the operation has come to its end, good or bad."""
    return operation["state"] not in OPEN_STATES


def seconds(value: t.Any) -> str:
    """A duration for people: 8.3 s, 2 min 5 s, 1 h 2 min."""
    if value is None:
        return ""
    value = float(value)
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def failure(operation: t.Mapping[str, t.Any]) -> str:
    """Why the operation did not succeed, and where to read on."""
    step = operation.get("step")
    where = f" in step {step}" if step else ""
    reason = operation.get("reason") or "no reason was given"
    return (
        f"{operation['kind']} of {operation['node']} {operation['state']}{where}: {reason}\n"
        f"  Read its log with metalpool.core.operation_info (id {operation['id']}, log: true). "
        "Asking for the operation again tries it again in place."
    )


def unfinished(operation: t.Mapping[str, t.Any], limit: float) -> str:
    """That the operation goes on after so many seconds, and how to wait on."""
    return (
        f"{operation['kind']} of {operation['node']} has not ended within {limit} s; it goes on. "
        f"Wait on with metalpool.core.operation_wait, id {operation['id']}, or a longer wait_timeout."
    )


class Progress:
    """Turns successive versions of an operation into lines: each step once when it starts and once when it ends.

    :param label: how the lines begin, such as the node's name
    """

    def __init__(self, label: str = "") -> None:
        self._label = f"{label} " if label else ""
        self._seen: dict[str, str] = {}
        self._state: str | None = None
        self._attempt: int | None = None

    def lines(self, operation: t.Mapping[str, t.Any]) -> t.Iterator[str]:
        """Yield what is new in this version."""
        head = f"{self._label}{operation['kind']}"
        if operation.get("attempt") != self._attempt:
            if self._attempt is not None:
                yield f"{head}: attempt {operation.get('attempt')}"
                self._seen.clear()
            self._attempt = operation.get("attempt")
        if operation["state"] != self._state and operation["state"] == "queued":
            yield f"{head}: queued, waiting for a worker"
        steps = operation.get("steps") or []
        for number, step in enumerate(steps, 1):
            yield from self._step(f"{head} {number}/{len(steps)}", step)
        if operation["state"] != self._state and ended(operation):
            reason = f": {operation['reason']}" if operation.get("reason") else ""
            yield f"{head}: {operation['state']}{reason}"
        self._state = operation["state"]

    def _step(self, head: str, step: t.Mapping[str, t.Any]) -> t.Iterator[str]:
        name, state = step["name"], step["state"]
        before = self._seen.get(name)
        self._seen[name] = state
        title = step.get("title") or name
        if step.get("ended_at"):
            if before != state:
                took = f" in {seconds(step['seconds'])}" if step.get("seconds") is not None else ""
                message = f" ({step['message']})" if step.get("message") else ""
                yield f"{head} {title}: {state}{took}{message}"
        elif step.get("started_at") and before != state:
            limit = f" (limit {seconds(step['limit_seconds'])})" if step.get("limit_seconds") else ""
            yield f"{head} {title} ...{limit}"
