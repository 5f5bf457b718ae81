# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads subnets."""
from __future__ import annotations

DOCUMENTATION = r"""
module: subnet_info
short_description: Read the subnets that the service knows
version_added: 0.1.0
description:
  - Returns the subnets with their ranges.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  name:
    description: Only the subnet of this name. One that does not exist is an empty list, not an error.
    type: str
  contains:
    description: Only subnets that this IP address is in; in several fabrics there may be several.
    type: str
"""

EXAMPLES = r"""
- name: Which addresses DHCP hands out in the network of this host
  metalpool.core.subnet_info:
    contains: "{{ ansible_default_ipv4.address }}"
  register: here
"""

RETURN = r"""
subnets:
  description: The subnets.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the subnet.
      returned: always
      type: str
    cidr:
      description: The network, such as V(10.0.7.0/24).
      returned: always
      type: str
    vlan:
      description: Name of the VLAN that it is on.
      returned: always
      type: str
    gateway:
      description: Its gateway, null when it has none.
      returned: always
      type: str
    dns_servers:
      description: Its name servers.
      returned: always
      type: list
      elements: str
    assign:
      description: Whether nodes are assigned addresses of it.
      returned: always
      type: bool
    ranges:
      description: Ranges of which no node is assigned an address, each with C(kind) (V(boot) or V(reserved)), C(first) and C(last).
      returned: always
      type: list
      elements: dict
"""

import ipaddress

from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module


def main() -> None:
    """Run the module."""
    module = make_module({"name": {"type": "str"}, "contains": {"type": "str"}})
    name, contains = module.params["name"], module.params["contains"]
    try:
        address = ipaddress.ip_address(contains) if contains else None
    except ValueError:
        module.fail_json(msg=f"contains: {contains!r} is no IP address; allowed: one such as 10.0.7.5 or fd00::5")
    with connected(module) as api:
        subnets = [
            subnet
            for subnet in api.items("/subnets")
            if name in (None, subnet["name"]) and (address is None or address in ipaddress.ip_network(subnet["cidr"]))
        ]
        module.exit_json(changed=False, subnets=subnets)


if __name__ == "__main__":
    main()
