# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module supports, as attributes."""
from __future__ import annotations


class ModuleDocFragment:
    """Fragment C(metalpool.core.attributes); each module says its own support."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without changing anything.
  diff_mode:
    description: Returns details on what has changed (or would, in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
"""

    # For members of the action group api.
    ACTIONGROUP_API = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/metalpool.core.api) in C(module_defaults) to set the connection for this module.
    support: full
    membership:
      - metalpool.core.api
"""

    # For what only reads.
    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: [It only reads.]
  idempotent:
    support: full
"""

    # For what reports to the service what an operation's playbook does.
    REPORTS = r"""
options: {}
attributes:
  check_mode:
    support: none
    details: [Skipped in check mode.]
  diff_mode:
    support: none
    details: [There is nothing to compare.]
"""
