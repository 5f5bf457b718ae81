# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_claim
short_description: Claim an operation on a node, for a playbook that is run by hand
version_added: 0.1.0
description:
  - Claims the node's operation as a worker would, so that a playbook of operations can be run by hand.
  - With O(kind) the operation is asked for first when the node has none.
  - The rack's worker may be faster; stop it, or let it do the work and use M(metalpool.core.operation_wait).
  - The claim has the BMC's password. The result is kept out of the output, as if O(ignore:no_log) was set.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reports
  - metalpool.core.attributes.actiongroup_api
attributes:
  idempotent:
    support: none
    details: [Each call is one report.]
options:
  node:
    description: Name of the node.
    type: str
    required: true
  kind:
    description:
      - Kind of the operation, such as V(commission), V(deploy) or V(release).
      - The task fails when the node has an operation of another kind.
    type: str
  parameters:
    description: Parameters of the operation when it is asked for.
    type: dict
    default: {}
  ssh_public_key:
    description:
      - The SSH public key that the node's ephemeral OS is to accept. One of this and O(ssh_public_key_file) is needed.
    type: str
  ssh_public_key_file:
    description: File on the controller with that key.
    type: path
  heartbeat:
    description:
      - Whether the claim is kept by heartbeats, as a worker sends them.
      - If not, each report keeps it for the limit of the step and a minute.
    type: bool
    default: false
  wait_seconds:
    description: Seconds to wait for the operation to be claimable.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Claim the operation
  metalpool.core.operation_claim:
    node: "{{ node }}"
    kind: commission
    ssh_public_key_file: ~/.ssh/id_ed25519.pub
  register: claimed

- name: Use it
  ansible.builtin.set_fact:
    metalpool_claim: "{{ claimed.claim }}"
  no_log: true
"""

RETURN = r"""
created:
  description: Whether the operation was asked for by this task.
  returned: success
  type: bool
claim:
  description:
    - The claim, with the operation's id, epoch, kind, parameters and steps, and the node with its BMC. A secret.
  returned: success
  type: dict
"""
