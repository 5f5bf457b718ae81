# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: allocation_wait
short_description: Wait in line for a node, or a set of them, and show the place in it
version_added: 0.1.0
description:
  - Waits until an allocation that stands in line has got its node, or a set all of its nodes, and shows its place whenever
    that changes.
  - Fails when it leaves the line without a node, with the reason. Returns at once when it does not wait.
  - Runs on the controller, without a module process and without a connection to the host.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  name:
    description: Name of the allocation. This or O(set) is needed.
    type: str
  set:
    description: Name of the set, as O(metalpool.core.allocation#module:name) of a task with O(metalpool.core.allocation#module:count).
    type: str
  wait_timeout:
    description:
      - Seconds to look. When they are over, the task fails and the allocation keeps its place in line.
      - Not given, it waits for as long as the allocation does.
    type: int
  progress:
    description: Whether to show the place in line.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Ask for a machine, and stand in line when none is free
  metalpool.core.allocation:
    name: web1
    mem: 32G
    queue: true
    wait: false
  register: acquired

- name: Wait for one's turn
  metalpool.core.allocation_wait:
    name: web1
"""

RETURN = r"""
allocation:
  description: The allocation as it is now; of a set, the one that stood in line for it.
  returned: always
  type: dict
allocations:
  description: The allocations of the set as they are now, or the only one.
  returned: always
  type: list
  elements: dict
seconds:
  description: Seconds that were waited.
  returned: always
  type: float
"""
