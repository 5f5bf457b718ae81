# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits in line until an allocation has its node, and shows its place."""
from __future__ import annotations

import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import segment
from ansible_collections.metalpool.core.plugins.module_utils._line import poll_line
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import OperationAction


class ActionModule(OperationAction):
    """GET /allocations/{name}, as a long poll."""

    _supports_check_mode = True  # it only reads

    options: t.ClassVar = {
        "name": {"type": "str", "required": True},
        "wait_timeout": {"type": "int"},
        "progress": {"type": "bool", "default": True},
    }

    def perform(self) -> dict[str, t.Any]:
        """Poll until the allocation is in line no longer; fail when it got no node."""
        started = time.monotonic()
        first = allocation = self.api.get(f"/allocations/{segment(self.params['name'])}").json
        shown = None
        for allocation in poll_line(self.api, first, self.params["wait_timeout"]):
            place = allocation["place"]
            if self.params["progress"] and place not in (None, shown):
                self.say(f"{allocation['name']}: number {place} in line" + until(allocation))
            shown = place
        result = {"allocation": allocation, "seconds": round(time.monotonic() - started, 1)}
        if allocation["state"] == "waiting":
            limit = self.params["wait_timeout"]
            msg = f"{allocation['name']} is number {allocation['place']} in line after {limit} s, and keeps its place."
            return {**result, "failed": True, "msg": msg}
        if allocation["state"] == "released":
            return {**result, "failed": True, "msg": f"{allocation['name']} got no node: {allocation['reason']}"}
        if self.params["progress"] and shown is not None:
            self.say(f"{allocation['name']}: has node {allocation['node']}")
        return result


def until(allocation: dict[str, t.Any]) -> str:
    """Until when it waits, if not for ever."""
    return f", until {allocation['wait_until']} at the latest" if allocation.get("wait_until") else ""
