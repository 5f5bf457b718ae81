# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for an operation and shows each of its steps as it happens."""
from __future__ import annotations

import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import poll, segment
from ansible_collections.metalpool.core.plugins.module_utils._progress import Progress, ended, failure
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import OperationAction

SHOWN_OF_A_FAILURE = ("id", "kind", "node", "state", "reason", "step")


class ActionModule(OperationAction):
    """GET /operations/{id}, as a long poll by revision."""

    _supports_check_mode = True  # it only reads

    options: t.ClassVar = {
        "id": {"type": "str", "required": True},
        "wait_timeout": {"type": "int", "default": 14400},
        "fail": {"type": "bool", "default": True},
        "progress": {"type": "bool", "default": True},
    }

    def perform(self) -> dict[str, t.Any]:
        """Poll until the operation has ended; fail with its reason when it did not succeed."""
        path = f"/operations/{segment(self.params['id'])}"
        limit = self.params["wait_timeout"]
        started = time.monotonic()
        operation = self.api.get(path).json
        progress = Progress("" if operation["node"] == self.task_vars.get("inventory_hostname") else operation["node"])
        self.show(progress, operation)
        for wait in poll(limit):
            if ended(operation):
                break
            operation = self.api.get(path, wait=wait, after=operation["revision"]).json
            self.show(progress, operation)
        result = {"operation": operation, "seconds": round(time.monotonic() - started, 1)}
        if not ended(operation):
            return {
                **result,
                "failed": True,
                "msg": f"{operation['kind']} of {operation['node']} has not ended within {limit} s; it goes on. "
                f"Wait on with metalpool.core.operation_wait, id {operation['id']}, or a longer wait_timeout.",
            }
        if operation["state"] != "succeeded" and self.params["fail"]:
            # Ansible prints all of a failed result: the message says it, the steps would bury it.
            short = {key: value for key, value in operation.items() if key in SHOWN_OF_A_FAILURE}
            return {**result, "operation": short, "failed": True, "msg": failure(operation)}
        return result

    def show(self, progress: Progress, operation: dict[str, t.Any]) -> None:
        """Print what is new."""
        for line in progress.lines(operation):
            if self.params["progress"]:
                self.say(line)
