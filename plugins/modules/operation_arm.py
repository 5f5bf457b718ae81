# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_arm
short_description: Arm a boot of a claimed operation's node
version_added: 0.1.0
description:
  - Makes the service answer the node's boot loader with the ephemeral OS, for one boot of this operation.
  - The result has the nonce that the worker puts into the node's BMC, with which the node proves what it is.
  - Older boots of the node are over with it. The result is kept out of the output, as if O(ignore:no_log) was set.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.api.claim
  - metalpool.core.attributes
  - metalpool.core.attributes.reports
  - metalpool.core.attributes.actiongroup_api
attributes:
  idempotent:
    support: none
    details: [Each call arms another boot.]
"""

EXAMPLES = r"""
- name: Arm the boot
  metalpool.core.operation_arm:
  register: armed

- name: Put the nonce into the BMC
  metalpool.core.bmc_nonce:
    nonce: "{{ armed.nonce }}"
"""

RETURN = r"""
boot:
  description: Id of the boot.
  returned: success
  type: str
nonce:
  description: What the node must read from its BMC and show, in hexadecimal digits. A secret.
  returned: success
  type: str
"""
