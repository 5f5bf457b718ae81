# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following something by long polls until it is over. Private to this collection."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import Api, poll, segment
from ansible_collections.metalpool.core.plugins.module_utils._progress import ended

Thing = dict[str, t.Any]
PLACE_SECONDS = 10
"""Whoever waits is told of a new place after so long at most; a node ends the wait at once."""


def versions(
    first: Thing, over: t.Callable[[Thing], bool], again: t.Callable[[Thing, float], Thing], seconds: float | None
) -> t.Iterator[Thing]:
    """Yield a thing as it is, and again after each long poll, until it is over.

    :param again: reads it again and waits for a change, for so many seconds
    :param seconds: how long to look at most; None looks for ever. The last one is then not over.
    """
    yield first
    for wait in poll(seconds):
        if over(first):
            return
        first = again(first, wait)
        yield first


def last(seen: t.Iterator[Thing]) -> Thing:
    """The version that it ended with."""
    *_before, end = seen
    return end


def operation_versions(api: Api, operation_id: str, seconds: float) -> t.Iterator[Thing]:
    """An operation, until it has ended."""
    path = f"/operations/{segment(operation_id)}"

    def again(before: Thing, wait: float) -> Thing:
        return api.get(path, wait=wait, after=before["revision"]).json

    return versions(api.get(path).json, ended, again, seconds)


def line_versions(api: Api, allocation: Thing, seconds: float | None) -> t.Iterator[Thing]:
    """An allocation, until it is in line no longer."""
    path = f"/allocations/{segment(allocation['name'])}"

    def again(_before: Thing, wait: float) -> Thing:
        return api.get(path, wait=min(wait, PLACE_SECONDS)).json

    return versions(allocation, lambda one: one["state"] != "waiting", again, seconds)
