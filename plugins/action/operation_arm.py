# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms a boot of the node, so that the service answers its boot loader and knows its nonce."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import CLAIM_SPEC, OperationAction


class ActionModule(OperationAction):
    """POST /operations/{id}/arm."""

    options: t.ClassVar = {**CLAIM_SPEC}
    secret_result: t.ClassVar = True

    def perform(self) -> dict[str, t.Any]:
        """Arm a new boot; the node's older ones end with it."""
        path, epoch = self.claim()
        answer = self.api.post(f"{path}/arm", {"epoch": epoch}).json
        return {"changed": True, "boot": answer["boot"], "nonce": answer["nonce"]}
