# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_wait
short_description: Wait for an operation and show its steps
version_added: 0.1.0
description:
  - Waits until an operation has ended, and shows each of its steps as it starts and as it ends, with its time.
  - Fails with the operation's reason when it did not succeed.
  - One long poll at a time is open; the service answers as soon as something changes.
  - Runs on the controller, without a module process and without a connection to the host.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  id:
    description: Id of the operation.
    type: str
    required: true
  wait_timeout:
    description:
      - Seconds to wait. When they are over, the task fails and the operation goes on.
      - The service ends every operation itself in bounded time, so this is only how long you want to look at it.
    type: int
    default: 14400
  fail:
    description: Whether the task fails when the operation did not succeed.
    type: bool
    default: true
  progress:
    description: Whether to show the steps.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Ask for a machine
  metalpool.core.allocation:
    name: web1
    mem: 32G
    wait: false
  register: acquired

- name: Watch it come up
  metalpool.core.operation_wait:
    id: "{{ acquired.allocation.operation }}"
  when: acquired.allocation.operation
"""

RETURN = r"""
operation:
  description:
    - The operation as it ended, with its steps and their times.
    - When the task fails, only its C(id), C(kind), C(node), C(state), C(reason) and C(step).
  returned: always
  type: dict
seconds:
  description: Seconds that were waited.
  returned: always
  type: float
"""
