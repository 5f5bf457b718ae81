# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_report
short_description: Report what was found or done on a claimed operation's node
version_added: 0.1.0
description:
  - Hands facts, erasures, results of scripts, the BMC's account, the power state or findings to the service.
  - With O(what=bmc) the data has a password; set C(no_log) on that task.
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
  what:
    description:
      - What O(data) is.
      - V(facts) - the facts document, a dictionary as M(metalpool.core.hardware_info) returns it.
      - V(erasures) - a list of dictionaries with C(serial), C(path), C(method), C(verified), C(detail), C(started_at),
        C(ended_at) and C(seconds).
      - V(script_results) - a list of dictionaries with C(name), C(phase), C(exit_code), C(output) and C(seconds).
      - V(bmc) - a dictionary with C(address), C(port), C(username), C(password) and C(state), which is C(pending) until
        the account was proved over the LAN, then C(proved).
      - V(power) - C(on), C(off) or C(unknown).
      - V(waiting) - an empty dictionary; the node stays in the ephemeral OS when the operation has ended.
      - V(findings) - a list of dictionaries with C(kind) and C(detail), each of which becomes an event.
    type: str
    required: true
    choices: [facts, erasures, script_results, bmc, power, waiting, findings]
  data:
    description: The report. An empty list is not sent.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Report the hardware
  metalpool.core.operation_report:
    what: facts
    data: "{{ hardware.facts }}"

- name: Report the new BMC account before it is used
  metalpool.core.operation_report:
    what: bmc
    data:
      address: 10.0.8.11
      port: 623
      username: metalpool
      password: "{{ commission_bmc_password }}"
      state: pending
  no_log: true
"""

RETURN = r"""
{}
"""
