# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_result
short_description: End a claimed operation
version_added: 0.1.0
description:
  - Tells the service how the operation ended. The claim is over after that.
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
    details: [Each call is one report.]
options:
  outcome:
    description: How it ended.
    type: str
    required: true
    choices: [succeeded, failed]
  reason:
    description: Why it failed, in words for people. Required when O(outcome=failed).
    type: str
"""

EXAMPLES = r"""
- name: Done
  metalpool.core.operation_result:
    outcome: succeeded

- name: Give up
  metalpool.core.operation_result:
    outcome: failed
    reason: "Two disks fit as the root disk: sda and sdb. Set the node's root_disk."
"""

RETURN = r"""
{}
"""
