# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for an operation and shows each of its steps as it happens."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._polling import operation_versions
from ansible_collections.metalpool.core.plugins.module_utils._progress import Progress, ended, failure, unfinished
from ansible_collections.metalpool.core.plugins.plugin_utils._wait_action import WaitAction

SHOWN_OF_A_FAILURE = ("id", "kind", "node", "state", "reason", "step")


class ActionModule(WaitAction):
    """GET /operations/{id}, as a long poll by revision."""

    options: t.ClassVar = {
        "id": {"type": "str", "required": True},
        "wait_timeout": {"type": "int", "default": 14400},
        "fail": {"type": "bool", "default": True},
        "progress": {"type": "bool", "default": True},
    }
    _progress: Progress | None = None

    def versions(self) -> t.Iterator[dict[str, t.Any]]:
        """The operation until it has ended."""
        return operation_versions(self.api, self.params["id"], self.params["wait_timeout"])

    def lines(self, thing: dict[str, t.Any]) -> t.Iterator[str]:
        """Each step once when it starts and once when it ends."""
        if self._progress is None:
            self._progress = Progress("" if thing["node"] == self.task_vars.get("inventory_hostname") else thing["node"])
        return self._progress.lines(thing)

    def outcome(self, thing: dict[str, t.Any]) -> dict[str, t.Any]:
        """The operation; its reason as the task's message when it did not succeed."""
        if not ended(thing):
            return {"operation": thing, "failed": True, "msg": unfinished(thing, self.params["wait_timeout"])}
        if thing["state"] != "succeeded" and self.params["fail"]:
            # Ansible prints all of a failed result: the message says it, the steps would bury it.
            short = {key: value for key, value in thing.items() if key in SHOWN_OF_A_FAILURE}
            return {"operation": short, "failed": True, "msg": failure(thing)}
        return {"operation": thing}
