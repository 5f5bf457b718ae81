# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_log
short_description: Add lines to the log of a claimed operation
version_added: 0.1.0
description:
  - Writes lines into the operation's log, which people read live in the browser and through the API.
  - Secrets do not belong there.
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
  lines:
    description: The lines. A text of several lines counts as several.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say what was chosen
  metalpool.core.operation_log:
    lines:
      - "The root disk is {{ root_disk.path }}, serial {{ root_disk.serial }}"
"""

RETURN = r"""
{}
"""
