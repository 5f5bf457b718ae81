# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a step of the operation that this run has claimed."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import (
    CLAIM_SPEC,
    OperationAction,
    shortened,
)


class ActionModule(OperationAction):
    """POST /operations/{id}/steps."""

    options: t.ClassVar = {
        **CLAIM_SPEC,
        "name": {"type": "str", "required": True},
        "message": {"type": "str"},
    }

    def perform(self) -> dict[str, t.Any]:
        """Start the step, which ends the one before as done."""
        path, epoch = self.claim()
        body = {"epoch": epoch, "step": self.params["name"]}
        if self.params["message"]:
            body["message"] = shortened(self.params["message"])
        answer = self.api.post(f"{path}/steps", body).json or {}
        return {"changed": True, "step": self.params["name"], "limit_seconds": answer.get("limit_seconds")}
