# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that wait for the operation that they start."""
from __future__ import annotations


class ModuleDocFragment:
    """Fragment C(metalpool.core.wait)."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until the operation has ended. A failed operation then fails the task with the operation's
        reason.
      - A module cannot show progress. Use O(wait=false) and then M(metalpool.core.operation_wait) to see each step.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait. When they are over, the task fails and the operation goes on.
    type: int
    default: 14400
"""
