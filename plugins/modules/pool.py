# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the policy of a pool."""
from __future__ import annotations

DOCUMENTATION = r"""
module: pool
short_description: Make a pool of nodes and set its policy
version_added: 0.1.0
description:
  - Makes a pool when there is none of this name, and sets those parts of its policy that are given.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.actiongroup_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    support: full
options:
  name:
    description: Name of the pool.
    type: str
    required: true
  description:
    description: What the pool is for.
    type: str
  wait_in_ephemeral:
    description: Whether free nodes wait powered on in the ephemeral OS, so that a deploy starts at once.
    type: bool
  erase_methods:
    description:
      - Methods by which disks may be erased when a node is released. The strongest of these that a disk offers is used.
      - The service refuses a method that it does not know and names those that it does.
    type: list
    elements: str
  weak_boot_token:
    description:
      - Whether nodes without an in-band BMC may prove themselves with a token from their boot loader.
      - Another machine on the same network can then take their place.
    type: bool
  auto_accept:
    description: Whether nodes that enlist are commissioned without anybody accepting them.
    type: bool
  default_role:
    description:
      - What every user may do in the pool without a grant.
      - With V(none) the pool and its nodes do not exist for them, with V(viewer) they see it, with V(user) they acquire its nodes.
    type: str
    choices: [none, viewer, user]
"""

EXAMPLES = r"""
- name: A pool whose nodes are quick at hand
  metalpool.core.pool:
    name: ci
    wait_in_ephemeral: true
"""

RETURN = r"""
pool:
  description: The pool with its policy, as it is now or, in check mode, would be.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import (
    connected,
    diff_of,
    differences,
    make_module,
)

FIELDS = ("description", "wait_in_ephemeral", "erase_methods", "weak_boot_token", "auto_accept", "default_role")


def apply(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Make the pool or change its policy."""
    name = module.params["name"]
    wanted = {key: module.params[key] for key in FIELDS}
    pool = next((pool for pool in api.items("/pools") if pool["name"] == name), None)
    changes = differences(pool or {}, wanted)
    result = {
        "changed": pool is None or bool(changes),
        "pool": {"name": name, **(pool or {}), **changes},
        "diff": diff_of(pool or {}, changes) if pool else {"before": {}, "after": {"name": name, **changes}},
    }
    if result["changed"] and not module.check_mode:
        whole = {key: (pool or {}).get(key) for key in FIELDS} | changes
        body = {key: value for key, value in whole.items() if value is not None}
        result["pool"] = api.put(f"/pools/{segment(name)}", body).json or result["pool"]
    return result


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "wait_in_ephemeral": {"type": "bool"},
            "erase_methods": {"type": "list", "elements": "str"},
            "weak_boot_token": {"type": "bool", "no_log": False},
            "auto_accept": {"type": "bool"},
            "default_role": {"type": "str", "choices": ["none", "viewer", "user"]},
        }
    )
    with connected(module) as api:
        module.exit_json(**apply(module, api))


if __name__ == "__main__":
    main()
