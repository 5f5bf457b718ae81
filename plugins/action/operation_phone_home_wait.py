# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until the installed system of the node has phoned home."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._node_wait import NodeWaitAction
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import CLAIM_SPEC


class ActionModule(NodeWaitAction):
    """GET /operations/{id}/phone-home, as a long poll."""

    options: t.ClassVar = {**CLAIM_SPEC, "timeout_seconds": {"type": "int", "default": 600}}
    resource: t.ClassVar = "phone-home"
    awaited: t.ClassVar = "phoned home from the installed system"
    hint: t.ClassVar = "Look at its console: the boot loader, the kernel and cloud-init say there how far it came."

    def returned(self, answer: dict[str, t.Any]) -> dict[str, t.Any]:
        """Where the installed system answers, and its host keys."""
        return {"address": answer["address"], "host_keys": answer["host_keys"]}
