# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads nodes."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read physical servers
version_added: 0.1.0
description:
  - Returns nodes with what is known of them, all that the token may see or those that match.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  name:
    description: Only the node of this name. A node that does not exist is an empty list, not an error.
    type: str
  state:
    description: Only nodes in this state, such as V(ready).
    type: str
  zone:
    description: Only nodes in this zone.
    type: str
  pool:
    description: Only nodes in this pool.
    type: str
  tag:
    description: Only nodes with this tag.
    type: str
  arch:
    description: Only nodes of this architecture.
    type: str
  details:
    description:
      - What to add to each node, at the price of one call for each node.
      - V(facts) - the facts document of the last commissioning.
      - V(erasures) - the records of erased disks.
      - V(events) - what happened to the node.
    type: list
    elements: str
    choices: [facts, erasures, events]
    default: []
"""

EXAMPLES = r"""
- name: What is free in room 1
  metalpool.core.node_info:
    state: ready
    zone: room-1
  register: free

- name: How were this server's disks erased
  metalpool.core.node_info:
    name: r1u07
    details: [erasures]
  register: server
"""

RETURN = r"""
nodes:
  description: The nodes. None of them has the password of its BMC.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      returned: always
      type: str
    state:
      description: State of the node.
      returned: always
      type: str
    memory_bytes:
      description: Memory in bytes, once commissioned.
      returned: always
      type: int
    cpus:
      description: Threads of the CPUs, once commissioned.
      returned: always
      type: int
    disks:
      description: Disks, once commissioned.
      returned: always
      type: list
      elements: dict
    facts:
      description: The facts document; null before the node was commissioned.
      returned: when asked for in O(details)
      type: dict
    erasures:
      description: Records of erased disks.
      returned: when asked for in O(details)
      type: list
      elements: dict
    events:
      description: What happened to the node.
      returned: when asked for in O(details)
      type: list
      elements: dict
"""

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module

FILTERS = ("state", "zone", "pool", "tag", "arch")


def matching(api: Api, params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The nodes that were asked for."""
    return list(api.items("/nodes", name=params["name"], **{key: params[key] for key in FILTERS}))


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str"},
            **{key: {"type": "str"} for key in FILTERS},
            "details": {
                "type": "list",
                "elements": "str",
                "choices": ["facts", "erasures", "events"],
                "default": [],
            },
        }
    )
    with connected(module) as api:
        nodes = matching(api, module.params)
        for node in nodes:
            path = f"/nodes/{segment(node['name'])}"
            for what in module.params["details"]:
                if what == "facts":
                    node["facts"] = api.get(f"{path}/facts").json["facts"] or None
                else:
                    node[what] = list(api.items(f"{path}/{what}"))
        module.exit_json(changed=False, nodes=nodes)


if __name__ == "__main__":
    main()
