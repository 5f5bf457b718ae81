# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the actions that wait for a node to call the service. Private to this collection."""
from __future__ import annotations

import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import poll
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import OperationAction


class NodeWaitAction(OperationAction):
    """Long-polls a resource of the claimed operation that has an answer once the node has called."""

    resource: t.ClassVar[str]
    awaited: t.ClassVar[str]
    hint: t.ClassVar[str]

    def returned(self, answer: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the task returns of the service's answer."""
        raise NotImplementedError

    def perform(self) -> dict[str, t.Any]:
        """Poll until there is an answer or timeout_seconds are over."""
        path, epoch = self.claim()
        limit = self.params["timeout_seconds"]
        started = time.monotonic()
        for wait in poll(limit):
            answer = self.api.get(f"{path}/{self.resource}", wait=wait, epoch=epoch)
            if not answer.empty:
                return {**self.returned(answer.json), "seconds": round(time.monotonic() - started, 1)}
        return {"failed": True, "msg": f"The node has not {self.awaited} within {limit} s. {self.hint}"}
