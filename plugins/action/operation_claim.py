# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims an operation on a node for a playbook that is run by hand."""
from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.metalpool.core.plugins.module_utils._api import poll, segment
from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import OperationAction


class ActionModule(OperationAction):
    """POST /racks/{rack}/claims, after the operation was asked for when there is none and kind says which."""

    options: t.ClassVar = {
        "node": {"type": "str", "required": True},
        "kind": {"type": "str"},
        "parameters": {"type": "dict", "default": {}},
        "ssh_public_key": {"type": "str"},
        "ssh_public_key_file": {"type": "path"},
        "heartbeat": {"type": "bool", "default": False},
        "wait_seconds": {"type": "int", "default": 10},
    }
    spec_rules: t.ClassVar = {
        "mutually_exclusive": [("ssh_public_key", "ssh_public_key_file")],
        "required_one_of": [("ssh_public_key", "ssh_public_key_file")],
    }
    secret_result: t.ClassVar = True

    def perform(self) -> dict[str, t.Any]:
        """Find the node's rack, ask for the operation when needed, claim it."""
        name = self.params["node"]
        key = self.public_key()
        node = self.api.get(f"/nodes/{segment(name)}").json
        if not node.get("rack"):
            raise AnsibleActionFail(f"the node {name} has no rack, so that nobody can claim an operation on it")
        created = self.ensure_operation(name, node)
        for wait in poll(self.params["wait_seconds"]):
            body = {"node": name, "wait": int(wait), "ssh_public_key": key, "heartbeat": self.params["heartbeat"]}
            answer = self.api.post(f"/racks/{segment(node['rack'])}/claims", body, extra_time=wait)
            if not answer.empty:
                return {"changed": True, "created": created, "claim": answer.json}
        return {"failed": True, "msg": self.explain(name)}

    def public_key(self) -> str:
        """The SSH public key that the node is to accept from this run."""
        if self.params["ssh_public_key"]:
            return self.params["ssh_public_key"].strip()
        name = os.path.expanduser(self.params["ssh_public_key_file"])
        try:
            with open(name, encoding="utf-8") as handle:
                return handle.read().strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise AnsibleActionFail(f"cannot read ssh_public_key_file={name}: {exc}") from exc

    def ensure_operation(self, name: str, node: dict[str, t.Any]) -> bool:
        """Ask for the operation when the node has none; one of another kind is not this playbook's to claim."""
        kind = self.params["kind"]
        if not kind:
            return False
        if node.get("operation"):
            current = self.api.get(f"/operations/{segment(node['operation'])}").json
            if current["kind"] != kind:
                raise AnsibleActionFail(
                    f"the node {name} has an operation {current['kind']} ({current['state']}), not {kind}: "
                    f"wait for it or cancel it first (id {current['id']})"
                )
            return False
        asked = {"kind": kind, "parameters": self.params["parameters"], "by_hand": not self.params["heartbeat"]}
        self.api.post(f"/nodes/{segment(name)}/operations", asked)
        return True

    def explain(self, name: str) -> str:
        """Say why there was nothing to claim."""
        node = self.api.get(f"/nodes/{segment(name)}").json
        if not node.get("operation"):
            return f"There is no operation to claim on the node {name}: give kind to have one made."
        operation = self.api.get(f"/operations/{segment(node['operation'])}").json
        return (
            f"The operation {operation['kind']} on the node {name} is {operation['state']} and somebody else has it, "
            f"most likely the rack's worker. Wait for it (metalpool.core.operation_wait, id {operation['id']}), "
            "or stop the worker first."
        )
