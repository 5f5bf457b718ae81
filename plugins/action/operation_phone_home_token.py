# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets the one-shot address at which the installed system phones home."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import CLAIM_SPEC, OperationAction


class ActionModule(OperationAction):
    """POST /operations/{id}/phone-home-token."""

    options: t.ClassVar = {**CLAIM_SPEC}
    secret_result: t.ClassVar = True

    def perform(self) -> dict[str, t.Any]:
        """Make a new token; an older one of the operation ends with it."""
        path, epoch = self.claim()
        answer = self.api.post(f"{path}/phone-home-token", {"epoch": epoch}).json
        return {"changed": True, "url_path": answer["url_path"]}
