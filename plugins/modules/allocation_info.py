# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads allocations."""
from __future__ import annotations

DOCUMENTATION = r"""
module: allocation_info
short_description: Read allocations
version_added: 0.1.0
description:
  - Returns your allocations with their nodes, addresses and host keys; an administrator sees everybody's.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  name:
    description: Only the allocation of this name. One that does not exist is an empty list, not an error.
    type: str
  set:
    description: Only the allocations that were acquired at once under this name.
    type: str
"""

EXAMPLES = r"""
- name: What do I hold
  metalpool.core.allocation_info:
  register: mine
"""

RETURN = r"""
allocations:
  description: The allocations.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the allocation.
      returned: always
      type: str
    node:
      description: Name of the node.
      returned: always
      type: str
    state:
      description: V(allocated), V(deploying), V(active), V(failed), V(releasing) or V(released).
      returned: always
      type: str
    address:
      description: IP address of the installed system, null until it is active.
      returned: always
      type: str
    ssh_user:
      description: User to log in as.
      returned: always
      type: str
    host_keys:
      description: The SSH host keys that the installed system reported.
      returned: always
      type: list
      elements: str
"""

from ansible_collections.metalpool.core.plugins.module_utils._api import segment
from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module


def main() -> None:
    """Run the module."""
    module = make_module({"name": {"type": "str"}, "set": {"type": "str"}}, mutually_exclusive=[("name", "set")])
    name = module.params["name"]
    with connected(module) as api:
        if name:
            found = api.find(f"/allocations/{segment(name)}")
            allocations = [] if found is None else [found]
        else:
            allocations = list(api.items("/allocations", set=module.params["set"]))
        module.exit_json(changed=False, allocations=allocations)


if __name__ == "__main__":
    main()
