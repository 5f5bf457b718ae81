# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_test
short_description: Test disks and memory of this node quickly
description:
  - Runs on the node, in the ephemeral OS. Asks each disk for its SMART health, reads at random places and then from the start for a short
    time; writes patterns into a part of the memory and reads them back. Nothing is written to any disk.
  - The module does not fail when a test does, unless O(fail=true); the caller looks at RV(passed).
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
options:
  disks:
    description: Serial numbers, WWNs or paths of the disks to test; V(all) for every disk, an empty list for none.
    type: list
    elements: str
    default: [all]
  disk_seconds:
    description: How long to read from each disk. Disks are read at the same time.
    type: float
    default: 5
  disk_min_mb_per_second:
    description: A disk that reads more slowly from its start fails (10^6 bytes a second).
    type: float
    default: 0
  memory_percent:
    description: Part of the memory to test, in percent; V(0) for no test. At least 128 MiB are left free whatever is asked for.
    type: float
    default: 10
  memory_bytes:
    description: Bytes of memory to test, instead of O(memory_percent).
    type: int
  memory_seconds:
    description: Time limit of the memory test.
    type: float
    default: 20
  fail:
    description: Fail when a test fails.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: The module changes nothing, so it does the same.
  diff_mode:
    support: none
    description: The module changes nothing.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Test the node for half a minute
  metalpool.core.health_test:
    disk_seconds: 10
    memory_percent: 50
    memory_seconds: 20
  register: health

- name: Stop here if it is not well
  ansible.builtin.assert:
    that: health.passed
"""

RETURN = r"""
passed:
  description: All tests passed.
  returned: always
  type: bool
results:
  description: One for each disk, and one for the memory.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was tested, such as C(disk S4EVNX0M123456) or C(memory).
      type: str
    phase:
      description: Always V(health_test).
      type: str
    passed:
      description: The test passed.
      type: bool
    exit_code:
      description: V(0) when it passed, else V(1).
      type: int
    output:
      description: One line for people.
      type: str
    seconds:
      description: Seconds it took.
      type: float
    evidence:
      description: >-
        Of a disk C(serial), C(path), C(smart_passed), C(wear_percent), C(random_reads), C(random_ms), C(sequential_bytes),
        C(mb_per_second); of the memory C(size_bytes), C(checked_bytes), C(passes), C(edac).
      type: dict
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._disks import DiskProblem, find_disks
from ansible_collections.metalpool.core.plugins.module_utils._health import memory_size, test_disk, test_memory
from ansible_collections.metalpool.core.plugins.module_utils._settle import settle


def main():
    module = AnsibleModule(
        argument_spec={
            "disks": {"type": "list", "elements": "str", "default": ["all"]},
            "disk_seconds": {"type": "float", "default": 5},
            "disk_min_mb_per_second": {"type": "float", "default": 0},
            "memory_percent": {"type": "float", "default": 10},
            "memory_bytes": {"type": "int"},
            "memory_seconds": {"type": "float", "default": 20},
            "fail": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not 0 <= params["memory_percent"] <= 100:
        module.fail_json(
            msg="memory_percent: {:g} is no part of the memory; give 0 to 100.".format(params["memory_percent"]), passed=False, results=[]
        )
    settle()
    try:
        disks = find_disks(params["disks"])
    except DiskProblem as problem:
        module.fail_json(msg=str(problem), passed=False, results=[])
    with ThreadPoolExecutor(max_workers=max(len(disks), 1)) as pool:
        results = list(pool.map(lambda disk: test_disk(disk, params["disk_seconds"], params["disk_min_mb_per_second"]), disks))
    # after the disks, not beside them: both would measure each other
    if params["memory_percent"] or params["memory_bytes"]:
        results.append(test_memory(memory_size(params["memory_percent"], params["memory_bytes"]), params["memory_seconds"]))
    failed = [entry["output"] for entry in results if not entry["passed"]]
    if failed and params["fail"]:
        module.fail_json(msg="health test failed: " + " | ".join(failed), passed=False, results=results)
    module.exit_json(changed=False, passed=not failed, results=results)


if __name__ == "__main__":
    main()
