# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: known_hosts
short_description: Trust the host keys that nodes reported
version_added: 0.1.0
description:
  - Writes addresses and host keys of allocations into a file of the user on the controller, so that the first
    connection
    to a node is verified without asking anybody.
  - The inventory plugin P(metalpool.core.nodes#inventory) does this by itself; this is for a playbook that acquires a
    node
    and goes on with it.
  - Runs on the controller, without a module process and without a connection to the host.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.attributes
attributes:
  check_mode:
    support: partial
    details: [Writes nothing and never says changed.]
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  allocations:
    description: Allocations as M(metalpool.core.allocation) returns them; each needs C(address) and C(host_keys).
    type: list
    elements: dict
    required: true
  path:
    description: The file. Keys of other addresses in it stay.
    type: path
    default: ~/.cache/metalpool/known_hosts
"""

EXAMPLES = r"""
- name: Trust the node's host key
  metalpool.core.known_hosts:
    allocations:
      - "{{ acquired.allocation }}"
  register: trusted

- name: Go on with the node
  ansible.builtin.add_host:
    name: "{{ acquired.allocation.hostname }}"
    ansible_host: "{{ acquired.allocation.address }}"
    ansible_user: "{{ acquired.allocation.ssh_user }}"
    ansible_ssh_common_args: "{{ trusted.ssh_common_args }}"
"""

RETURN = r"""
path:
  description: The file, as an absolute path.
  returned: success
  type: str
ssh_common_args:
  description: Arguments that make ssh accept the keys in that file and no others.
  returned: success
  type: str
"""
