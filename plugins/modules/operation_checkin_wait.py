# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_checkin_wait
short_description: Wait until a claimed operation's node has checked in from the ephemeral OS
version_added: 0.1.0
description:
  - Asks the service, by long poll, until the node has checked in from the ephemeral OS; fails when it has not in time.
  - Nothing is polled on the node itself.
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
    support: full
options:
  timeout_seconds:
    description:
      - Seconds to wait. The limit that M(metalpool.core.operation_step) returned for the step is a good choice.
    type: int
    default: 420
"""

EXAMPLES = r"""
- name: Wait for the ephemeral OS
  metalpool.core.operation_checkin_wait:
    timeout_seconds: "{{ step.limit_seconds }}"
  register: node_is
"""

RETURN = r"""
address:
  description: IP address at which the ephemeral OS answers.
  returned: success
  type: str
  sample: 172.30.7.101
host_key:
  description: The SSH host key that it reported.
  returned: success
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI...
seconds:
  description: Seconds that were waited.
  returned: success
  type: float
"""
