# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusts the host keys that nodes reported to the service."""
from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.metalpool.core.plugins.plugin_utils import _known_hosts


class ActionModule(ActionBase):
    """Writes the controller's own file; no connection, no module, no call of the API."""

    TRANSFERS_FILES = False
    _requires_connection = False

    SPEC: t.ClassVar = {
        "allocations": {
            "type": "list",
            "elements": "dict",
            "required": True,
        },
        "path": {"type": "path", "default": _known_hosts.DEFAULT_PATH},
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Write the file and return the arguments for ssh."""
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(self.SPEC)
        path = os.path.expanduser(params["path"])
        hosts = []
        for allocation in params["allocations"]:
            if not allocation.get("address") or not allocation.get("host_keys"):
                raise AnsibleActionFail(
                    f"the allocation {allocation.get('name')} has no address and host_keys; "
                    "it has them once its node is deployed (state active)"
                )
            hosts.append(_known_hosts.Host(allocation["address"], tuple(allocation["host_keys"])))
        result.update(changed=False, path=path, ssh_common_args=_known_hosts.ssh_arguments(path))
        if not self._task.check_mode:
            try:
                result["changed"] = _known_hosts.write(path, "metalpool", hosts, keep_source=True)
            except (OSError, ValueError) as exc:
                raise AnsibleActionFail(f"cannot write {path}: {exc}") from exc
        return result
