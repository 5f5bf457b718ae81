# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting in line for a node. Private to this collection."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import Api, poll, segment


def poll_line(api: Api, allocation: dict[str, t.Any], seconds: float | None) -> t.Iterator[dict[str, t.Any]]:
    """Yield an allocation as it is, and at each poll again until it is in line no longer.

    :param seconds: how long to look at most; None looks for ever
    """
    path = f"/allocations/{segment(allocation['name'])}"
    yield allocation
    for wait in poll(seconds):
        if allocation["state"] != "waiting":
            return
        allocation = api.get(path, wait=wait).json
        yield allocation
