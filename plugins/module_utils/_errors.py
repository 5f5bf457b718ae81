# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a call of the API, as text for people. Private to this collection.

The service answers errors as problem documents (RFC 9457) with the members field, value, allowed and excluded.
"""
from __future__ import annotations

import json
import typing as t

SHORT = {
    "field": "field",
    "value": "value",
    "allowed": "allowed",
}
HINTS = {
    401: "The API token is missing, wrong or expired: check METALPOOL_TOKEN, token_file or the profile.",
    429: "The service limits how often this may be asked; wait a little and try again.",
}


class Unreachable(Exception):
    """There was no answer.

    :param brief: the cause in a few words
    :param passing: whether it may go by itself, so that trying again makes sense
    """

    def __init__(self, message: str, brief: str = "", passing: bool = False) -> None:
        super().__init__(message)
        self.brief = brief or message
        self.passing = passing


class ApiError(Exception):
    """The API refused. The text has several lines: what, which field and value, what is allowed, what was excluded.

    :param status: HTTP status
    :param problem: the problem document
    :param call: method and URL, for the last line
    """

    def __init__(self, status: int, problem: dict[str, t.Any], call: str) -> None:
        super().__init__(render(status, problem, call))
        self.status = status
        self.problem = problem

    @property
    def brief(self) -> str:
        """The error in one line."""
        return f"HTTP {self.status} {self.problem.get('title', '')}".strip()

    @property
    def kind(self) -> str:
        """Last part of the problem's type, such as ``stale-epoch``."""
        return str(self.problem.get("type", "")).rstrip("/").rsplit("/", 1)[-1]


def problem_of(status: int, body: bytes, call: str, url: str) -> ApiError:
    """Make the error of an answer, also of one that is not from the service (a proxy's page, say)."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"title": f"HTTP status {status} without a reason; {url} may not be the Metalpool service"}
    return ApiError(status, problem, call)


def render(status: int, problem: t.Mapping[str, t.Any], call: str) -> str:
    """Write a problem document as text of several lines."""
    title = str(problem.get("title") or f"HTTP status {status}")
    detail = problem.get("detail")
    lines = [f"{title}: {detail}" if detail and detail != title else title]
    for key, label in SHORT.items():
        if problem.get(key) is not None:
            lines.append(f"  {label}: {_words(problem[key])}")
    excluded = problem.get("excluded")
    if excluded:
        considered = problem.get("considered")
        among = "" if considered is None else f" of {considered}"
        lines.append("  excluded:")
        lines.extend(f"    {_exclusion(item, among)}" for item in excluded)
    if status in HINTS:
        lines.append(f"  {HINTS[status]}")
    request_id = problem.get("request_id")
    lines.append(f"  {call} answered {status}" + (f", request_id {request_id}" if request_id else ""))
    return "\n".join(lines)


def _exclusion(item: t.Any, among: str) -> str:
    if not isinstance(item, dict):
        return _words(item)
    nodes = item.get("nodes")
    count = len(nodes) if isinstance(nodes, list) else nodes
    noun = "node" if count == 1 and not among else "nodes"
    return f"{item.get('constraint')}={item.get('value')} excluded {count}{among} {noun}"


def _words(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
