# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the operation that this run has claimed."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import (
    CLAIM_SPEC,
    OperationAction,
    shortened,
)


class ActionModule(OperationAction):
    """POST /operations/{id}/result."""

    options: t.ClassVar = {
        **CLAIM_SPEC,
        "outcome": {"type": "str", "required": True, "choices": ["succeeded", "failed"]},
        "reason": {"type": "str"},
    }
    spec_rules: t.ClassVar = {"required_if": [("outcome", "failed", ("reason",))]}

    def perform(self) -> dict[str, t.Any]:
        """Report the outcome, after which the claim is over."""
        path, epoch = self.claim()
        body = {"epoch": epoch, "outcome": self.params["outcome"], "reason": shortened(self.params["reason"])}
        self.api.post(f"{path}/result", body)
        return {"changed": True}
