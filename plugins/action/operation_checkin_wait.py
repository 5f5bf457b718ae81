# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until the armed boot of the node has checked in from the ephemeral OS."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._node_wait import NodeWaitAction
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import CLAIM_SPEC


class ActionModule(NodeWaitAction):
    """GET /operations/{id}/checkin, as a long poll."""

    options: t.ClassVar = {**CLAIM_SPEC, "timeout_seconds": {"type": "int", "default": 420}}
    resource: t.ClassVar = "checkin"
    awaited: t.ClassVar = "checked in from the ephemeral OS"
    hint: t.ClassVar = "Look at its console: firmware, DHCP, iPXE and the kernel say there how far it came."

    def returned(self, answer: dict[str, t.Any]) -> dict[str, t.Any]:
        """Where the node answers, and the host key it must show there."""
        return {"address": answer["address"], "host_key": answer["host_key"]}
