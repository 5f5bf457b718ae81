# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads operations."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_info
short_description: Read operations
version_added: 0.1.0
description:
  - Returns one operation by its id, or those that match, with their steps, and their log when asked for.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  id:
    description: Id of one operation. One that does not exist is an empty list, not an error.
    type: str
  node:
    description: Only operations on this node.
    type: str
  state:
    description: Only operations in this state, such as V(running) or V(failed).
    type: str
  kind:
    description: Only operations of this kind, such as V(deploy).
    type: str
  log:
    description: Whether to return the log of each operation too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Why did it fail
  metalpool.core.operation_info:
    node: r1u07
    state: failed
    log: true
  register: failed
"""

RETURN = r"""
operations:
  description: The operations.
  returned: success
  type: list
  elements: dict
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
    log:
      description: Lines of the log, each with C(seq), C(at), C(step) and C(message).
      returned: when asked for
      type: list
      elements: dict
"""

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module


def matching(api: Api, params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The operations that were asked for."""
    if params["id"]:
        operation = api.find(f"/operations/{segment(params['id'])}")
        return [] if operation is None else [operation]
    return list(api.items("/operations", node=params["node"], state=params["state"], kind=params["kind"]))


def whole_log(api: Api, operation: str) -> list[dict[str, t.Any]]:
    """All lines, page after page; the next page begins after the last sequence number."""
    lines: list[dict[str, t.Any]] = []
    while True:
        page = api.get(f"/operations/{segment(operation)}/log", after=lines[-1]["seq"] if lines else 0).json["items"]
        if not page:
            return lines
        lines.extend(page)


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "id": {"type": "str"},
            "node": {"type": "str"},
            "state": {"type": "str"},
            "kind": {"type": "str"},
            "log": {"type": "bool", "default": False},
        }
    )
    with connected(module) as api:
        operations = matching(api, module.params)
        if module.params["log"]:
            for operation in operations:
                operation["log"] = whole_log(api, operation["id"])
        module.exit_json(changed=False, operations=operations)


if __name__ == "__main__":
    main()
