"""What can go wrong: in words for people, and as an exit code for scripts. The one table of exit codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalpool_cli.output import table_lines

EXIT_CODES = {
    0: "done",
    1: "refused or failed",
    2: "not understood: the words of the command, the settings, or a value that the service does not accept",
    3: "the service cannot be reached",
    4: "not allowed: no valid token, or it may not do that",
    5: "there is no such thing",
    6: "time is up; the work goes on",
    7: "no node fits now, or the quota is used up",
    130: "interrupted; the work goes on",
}
_BY_TYPE = {"nothing-fits": 7, "quota-used-up": 7, "no-address": 7}
_BY_STATUS = {400: 2, 401: 4, 403: 4, 404: 5, 422: 2, 502: 3, 503: 3, 504: 3}
_HINTS = {
    401: "The API token is missing, wrong or expired; metalpool config says where it comes from.",
    429: "The service limits how often this may be asked; wait a little and try again.",
}
PROFILE_EXAMPLE = """A profile looks like this:
  url = "https://pool.example:8443"
  token_file = "~/.config/metalpool/token"
  ca_file = "~/.config/metalpool/ca.crt"
"""
_POSSIBLE = {
    "now": "ask again",
    "later": "when others release theirs: --wait stands in line",
    "never": "no node could, as it is: ask for less",
}


class Failure(Exception):
    """The command ends without what was asked for.

    :param document: what ``--json`` shows of it
    """

    code = 1

    def __init__(self, message: str, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document or {"title": message, "exit_code": self.code}


class Misused(Failure):
    """Words or settings that make no sense."""

    code = 2


class Unreachable(Failure):
    """There was no answer.

    :param brief: why, in a few words
    :param passing: whether it may go by itself, so that trying again makes sense
    """

    code = 3

    def __init__(self, message: str, brief: str, passing: bool = False) -> None:
        super().__init__(message)
        self.brief = brief
        self.passing = passing


class TimedOut(Failure):
    """The time to wait is over."""

    code = 6


class Interrupted(Failure):
    """Somebody pressed Ctrl-C."""

    code = 130


class Refused(Failure):
    """The service said no, with a problem document (RFC 9457).

    :param call: method and URL
    """

    def __init__(self, status: int, problem: Mapping[str, Any], call: str) -> None:
        super().__init__("\n".join(_words(status, problem, call)), problem)
        self.status = status
        self.problem = problem
        self.kind = str(problem.get("type", ""))
        self.code = _BY_TYPE.get(self.kind, _BY_STATUS.get(status, 1))

    @property
    def brief(self) -> str:
        """The problem in one line."""
        return f"{self.status} {self.problem.get('title', '')}".strip()


def _words(status: int, problem: Mapping[str, Any], call: str) -> list[str]:
    title, detail = str(problem.get("title") or f"HTTP status {status}"), problem.get("detail")
    if problem.get("excluded") is not None:
        lines = [title, *explanation(problem)]
    else:
        lines = [f"{title}: {detail}" if detail and detail != title else title]
        lines += [f"  {key}: {_plain(problem[key])}" for key in ("field", "value", "allowed") if problem.get(key) not in (None, "", [])]
    if status in _HINTS:
        lines.append(f"  {_HINTS[status]}")
    request = f", request {problem['request_id']}" if problem.get("request_id") else ""
    return [*lines, f"  {call} answered {status}{request}"]


def explanation(problem: Mapping[str, Any]) -> list[str]:
    """Why no node fits: what excluded how many, what only just misses, whether waiting helps."""
    excluded = problem.get("excluded") or []
    columns = ("constraint", "value", "nodes", "only")
    rows = [[_plain(one.get(key)) for key in columns] for one in excluded]
    lines = [f"  {line}" for line in table_lines(("CONSTRAINT", "VALUE", f"EXCLUDES OF {problem.get('considered', '?')}", "ALONE"), rows)]
    lines += [f"  {one['constraint']}: {one['error']}" for one in excluded if one.get("error")]
    lines += [f"  nearest: {one['text']}" for one in (problem.get("nearest") or [])[:3]]
    held = problem.get("held")
    lines += [f"  in use: {held['text']}"] if held else []
    possible = str(problem.get("possible", ""))
    return [*lines, f"  possible: {possible}, {_POSSIBLE[possible]}" if possible in _POSSIBLE else f"  {problem.get('detail', '')}"]


def _plain(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
