# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports what was found or done on the node of the operation that this run has claimed."""
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import (
    CLAIM_SPEC,
    OperationAction,
    shortened,
)

OUTPUT_LIMIT = 1_000_000
# what -> (method, resource, member of the body that takes data; None: data's own members)
RESOURCES: dict[str, tuple[str, str, str | None]] = {
    "facts": ("PUT", "facts", "facts"),
    "erasures": ("POST", "erasures", "items"),
    "script_results": ("POST", "script-results", "items"),
    "bmc": ("PUT", "bmc", None),
    "power": ("POST", "power", "power_state"),
    "waiting": ("POST", "waiting", None),
    "findings": ("POST", "findings", "items"),
}
KINDS: dict[str, tuple[type, str]] = {
    "facts": (dict, "a dictionary, the facts document"),
    "erasures": (list, "a list, one dictionary for each disk"),
    "script_results": (list, "a list, one dictionary for each script"),
    "bmc": (dict, "a dictionary with address, port, username, password and state"),
    "power": (str, "on, off or unknown"),
    "waiting": (dict, "an empty dictionary"),
    "findings": (list, "a list of dictionaries with kind and detail"),
}


class ActionModule(OperationAction):
    """PUT or POST /operations/{id}/<what>."""

    options: t.ClassVar = {
        **CLAIM_SPEC,
        "what": {"type": "str", "required": True, "choices": list(RESOURCES)},
        "data": {"type": "raw", "required": True},
    }

    def perform(self) -> dict[str, t.Any]:
        """Send the report; an empty list is not sent."""
        path, epoch = self.claim()
        what, data = self.params["what"], self.params["data"]
        kind, description = KINDS[what]
        if not isinstance(data, kind):
            raise AnsibleActionFail(f"data for what={what} must be {description}, but it is {type(data).__name__}")
        if kind is list and not data:
            return {}
        method, resource, member = RESOURCES[what]
        if what == "script_results":
            data = [{**item, "output": shortened(item.get("output"), OUTPUT_LIMIT) or ""} for item in data]
        body = {"epoch": epoch, **(data if member is None else {member: data})}
        self.api.call(method, f"{path}/{resource}", body=body)
        return {"changed": True}
