# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_step
short_description: Start a step of a claimed operation
version_added: 0.1.0
description:
  - Tells the service that the next step of the operation begins, which ends the one before it as done.
  - From then on the service holds the step's time limit.
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
  name:
    description: Name of the step, as in the claim's list of steps.
    type: str
    required: true
  message:
    description: A line that is shown beside the step.
    type: str
"""

EXAMPLES = r"""
- name: The image is being written now
  metalpool.core.operation_step:
    name: write_image
    message: "debian-bookworm to /dev/sda"
  register: step
"""

RETURN = r"""
step:
  description: Name of the step.
  returned: success
  type: str
  sample: write_image
limit_seconds:
  description: Seconds that the step may take before the service ends the operation as failed.
  returned: success
  type: int
  sample: 1200
"""
