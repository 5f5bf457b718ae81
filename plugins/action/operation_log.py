# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds lines to the log of the operation that this run has claimed."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import CLAIM_SPEC, OperationAction

LINES_AT_ONCE = 1000


class ActionModule(OperationAction):
    """POST /operations/{id}/log."""

    options: t.ClassVar = {
        **CLAIM_SPEC,
        "lines": {"type": "list", "elements": "str", "required": True},
    }

    def perform(self) -> dict[str, t.Any]:
        """Send the lines; no lines, no call."""
        path, epoch = self.claim()
        lines = [line for text in self.params["lines"] for line in text.splitlines()]
        for first in range(0, len(lines), LINES_AT_ONCE):
            self.api.post(f"{path}/log", {"epoch": epoch, "lines": lines[first : first + LINES_AT_ONCE]})
        return {"changed": bool(lines)}
