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
  lease_required:
    description: Whether every allocation has to end by itself.
    type: bool
  lease_default_seconds:
    description: Lease of an allocation that asks for none; V(0) for none.
    type: int
  lease_max_seconds:
    description: Longest lease, and longest extension; V(0) for no limit.
    type: int
  lease_total_seconds:
    description: Longest time that a node is held with all extensions; V(0) for no limit.
    type: int
  lease_notice_seconds:
    description: How long before its end a lease is announced by an event.
    type: int
  lease_grace_seconds:
    description: How long after its end the node is released.
    type: int
  queue_order:
    description: Who in line gets a node that becomes free. The service names those orders that it knows.
    type: str
  set_aside:
    description:
      - Rules for setting nodes aside that keep failing, each with C(kinds) (V(commission), V(deploy), V(release)), C(failures)
        and C(window_seconds). An empty list sets none aside.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: A pool whose nodes are quick at hand
  metalpool.core.pool:
    name: ci
    wait_in_ephemeral: true

- name: A pool whose nodes are held for a day at most
  metalpool.core.pool:
    name: loans
    lease_required: true
    lease_default_seconds: 28800
    lease_max_seconds: 86400
    set_aside:
      - {kinds: [deploy], failures: 2, window_seconds: 604800}
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

NO_LIMIT = ("lease_default_seconds", "lease_max_seconds", "lease_total_seconds")
POLICY: dict[str, dict[str, t.Any]] = {
    "description": {"type": "str"},
    "wait_in_ephemeral": {"type": "bool"},
    "erase_methods": {"type": "list", "elements": "str"},
    "weak_boot_token": {"type": "bool", "no_log": False},
    "auto_accept": {"type": "bool"},
    "default_role": {"type": "str", "choices": ["none", "viewer", "user"]},
    "lease_required": {"type": "bool"},
    **{key: {"type": "int"} for key in NO_LIMIT},
    "lease_notice_seconds": {"type": "int"},
    "lease_grace_seconds": {"type": "int"},
    "queue_order": {"type": "str"},
    "set_aside": {"type": "list", "elements": "dict"},
}


def apply(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Make the pool or change its policy."""
    name = module.params["name"]
    wanted = {key: module.params[key] for key in POLICY}
    pool = next((pool for pool in api.items("/pools") if pool["name"] == name), None)
    changes = differences(pool or {}, wanted)
    for key in NO_LIMIT:
        if wanted[key] == 0:
            del changes[key]
            if (pool or {}).get(key) is not None:
                changes[key] = None
    result = {
        "changed": pool is None or bool(changes),
        "pool": {"name": name, **(pool or {}), **changes},
        "diff": diff_of(pool or {}, changes) if pool else {"before": {}, "after": {"name": name, **changes}},
    }
    if result["changed"] and not module.check_mode:
        whole = {key: (pool or {}).get(key) for key in POLICY} | changes
        body = {key: value for key, value in whole.items() if value is not None or key in changes}
        result["pool"] = api.put(f"/pools/{segment(name)}", body).json or result["pool"]
    return result


def main() -> None:
    """Run the module."""
    module = make_module({"name": {"type": "str", "required": True}, **POLICY})
    with connected(module) as api:
        module.exit_json(**apply(module, api))


if __name__ == "__main__":
    main()
