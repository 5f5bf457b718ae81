# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts or cancels an operation on a node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation
short_description: Start or cancel an operation on a node
version_added: 0.1.0
description:
  - Asks for an operation, such as commissioning a node, and waits for its end; or cancels one.
  - Commissioning a node that is V(new) accepts it.
  - Asking again for an operation that failed tries it again in place.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.wait
  - metalpool.core.attributes
  - metalpool.core.attributes.actiongroup_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - O(state=started) joins an operation of the same kind that is under way, but once that has ended it starts
        another.
      - O(state=cancelled) is idempotent.
options:
  state:
    description:
      - V(started) - an operation of O(kind) is under way on O(node); with O(wait) it has ended well.
      - V(cancelled) - the operation O(id), or the one under way on O(node), is cancelled.
    type: str
    choices: [started, cancelled]
    default: started
  node:
    description: Name of the node. Needed with O(state=started).
    type: str
  kind:
    description: Kind of the operation, such as V(commission), V(deploy) or V(release). Needed with O(state=started).
    type: str
  parameters:
    description: Parameters of the operation.
    type: dict
    default: {}
  id:
    description: Id of the operation to cancel.
    type: str
"""

EXAMPLES = r"""
- name: Accept and commission a server
  metalpool.core.operation:
    node: r1u07
    kind: commission

- name: Cancel whatever is going on with it
  metalpool.core.operation:
    node: r1u07
    state: cancelled
"""

RETURN = r"""
operation:
  description: The operation; null in check mode when it would be started, and when there was nothing to cancel.
  returned: always
  type: dict
  contains:
    id:
      description: Id of the operation.
      returned: always
      type: str
    kind:
      description: Kind of the operation.
      returned: always
      type: str
    node:
      description: Name of the node.
      returned: always
      type: str
    state:
      description: V(queued), V(running), V(succeeded), V(failed) or V(cancelled).
      returned: always
      type: str
    reason:
      description: Why it failed.
      returned: always
      type: str
    steps:
      description: Its steps with their times.
      returned: always
      type: list
      elements: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, poll, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import (
    WAIT_SPEC,
    OperationFailed,
    connected,
    make_module,
    wait_for_operation,
)
from ansible_collections.metalpool.core.plugins.module_utils._progress import ended


def under_way(api: Api, node: str) -> dict[str, t.Any] | None:
    """The operation that is under way on the node."""
    current = api.get(f"/nodes/{segment(node)}").json.get("operation")
    operation = api.get(f"/operations/{segment(current)}").json if current else None
    return None if operation is None or ended(operation) else operation


def started(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Start the operation or join the one that is under way."""
    node, kind = module.params["node"], module.params["kind"]
    operation = under_way(api, node)
    changed = operation is None or operation["kind"] != kind
    if changed and module.check_mode:
        return {"changed": True, "operation": None, "diff": {"before": {}, "after": {"node": node, "kind": kind}}}
    if changed:
        # With another kind under way, the service refuses and says which one it is.
        asked = {"kind": kind, "parameters": module.params["parameters"]}
        operation = api.post(f"/nodes/{segment(node)}/operations", asked).json
    if module.params["wait"] and not module.check_mode:
        operation = wait_for_operation(api, operation["id"], module.params["wait_timeout"])
    diff = {"before": {}, "after": {"node": node, "kind": kind}} if changed else {"before": {}, "after": {}}
    return {"changed": changed, "operation": operation, "diff": diff}


def cancelled(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Cancel the operation, and wait until it is over."""
    if module.params["id"]:
        operation = api.get(f"/operations/{segment(module.params['id'])}").json
    else:
        operation = under_way(api, module.params["node"])
    if operation is None or ended(operation):
        return {"changed": False, "operation": operation}
    diff = {"before": {"state": operation["state"]}, "after": {"state": "cancelled"}}
    if not module.check_mode:
        path = f"/operations/{segment(operation['id'])}"
        api.post(f"{path}/cancel")
        operation = api.get(path).json
        if module.params["wait"]:
            operation = wait_for_end(api, operation, module.params["wait_timeout"])
    return {"changed": True, "operation": operation, "diff": diff}


def wait_for_end(api: Api, operation: dict[str, t.Any], timeout: int) -> dict[str, t.Any]:
    """Wait until the operation has ended, however it does.

    :raises OperationFailed: it has not ended within ``timeout`` seconds
    """
    for wait in poll(timeout):
        if ended(operation):
            return operation
        operation = api.get(f"/operations/{segment(operation['id'])}", wait=wait, after=operation["revision"]).json
    if not ended(operation):
        raise OperationFailed(f"the operation was asked to stop, but has not within {timeout} s", operation)
    return operation


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "state": {"type": "str", "choices": ["started", "cancelled"], "default": "started"},
            "node": {"type": "str"},
            "kind": {"type": "str"},
            "parameters": {"type": "dict", "default": {}},
            "id": {"type": "str"},
            **WAIT_SPEC,
        },
        required_if=[("state", "started", ("node", "kind")), ("state", "cancelled", ("id", "node"), True)],
    )
    with connected(module) as api:
        module.exit_json(**(started if module.params["state"] == "started" else cancelled)(module, api))


if __name__ == "__main__":
    main()
