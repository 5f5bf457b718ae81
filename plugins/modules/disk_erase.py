# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_erase
short_description: Erase disks of this node and prove it
description:
  - Runs on the node, in the ephemeral OS. Erases all disks, or those named, at the same time, each by the strongest method that it
    offers and that O(methods) allows.
  - Every method is proved. Random marks are written at random places and at both ends before, and must be gone when read past the
    cache after. For O(methods=zeroout) and O(methods=overwrite), places over the whole disk must read as zeros too.
  - A method that fails or cannot be proved gives way to the next one; every attempt stands in the record.
  - Swap, LVM, md and bcache on a disk are stopped first. A disk that is mounted or carries the running system is refused, and nothing
    on it is changed.
  - The module fails when any disk was not proved to be erased (see O(fail)); the records are returned all the same.
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
options:
  disks:
    description:
      - Serial numbers, WWNs or paths of the disks; V(all) for every disk but RAM disks, loop devices, optical disks and removable
        USB sticks.
    type: list
    elements: str
    default: [all]
  expected:
    description:
      - Serial numbers or WWNs of the disks that the node has to have, such as those found when it was commissioned.
      - One that is not there is recorded as not erased, for a disk that hides from the erasure may come back.
    type: list
    elements: str
    default: []
  wait_seconds:
    description: How long to wait for disks that are named or expected to appear.
    type: float
    default: 20
  methods:
    description:
      - Methods that are allowed. They are tried in the order of this option's choices, strongest first, whatever the order given.
    type: list
    elements: str
    choices:
      - nvme_sanitize_crypto
      - nvme_sanitize_block
      - nvme_format_crypto
      - nvme_format_user_data
      - ata_secure_erase_enhanced
      - ata_secure_erase
      - scsi_sanitize
      - blkdiscard_secure
      - zeroout
      - overwrite
    default:
      - nvme_sanitize_crypto
      - nvme_sanitize_block
      - nvme_format_crypto
      - nvme_format_user_data
      - ata_secure_erase_enhanced
      - ata_secure_erase
      - scsi_sanitize
      - blkdiscard_secure
      - zeroout
      - overwrite
  marks:
    description: Marks at random places, beside those at the first and the last block.
    type: int
    default: 64
  samples:
    description: Places, spread over the whole disk, that are read after the erasure.
    type: int
    default: 1024
  full_read_bytes:
    description: A disk of at most this size is read as a whole instead of sampled.
    type: int
    default: 268435456
  fail:
    description: Fail when any disk was not proved to be erased; V(false) leaves the judgement to the caller, by RV(verified).
    type: bool
    default: true
  limit_seconds:
    description: Time limit for each disk.
    type: float
    default: 7000
attributes:
  check_mode:
    support: full
    description: Says which methods apply to each disk, and changes nothing.
  diff_mode:
    support: none
    description: The content of a disk is no diff.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Erase every disk of the node
  metalpool.core.disk_erase:
  register: erased

- name: Erase one disk by overwriting only
  metalpool.core.disk_erase:
    disks: [S4EVNX0M123456]
    methods: [overwrite]
"""

RETURN = r"""
verified:
  description: Every disk asked for was proved to be erased.
  returned: always
  type: bool
erasures:
  description: One record for each disk, whether it was erased or not.
  returned: always
  type: list
  elements: dict
  contains:
    serial:
      description: Serial number, else WWN, else path.
      type: str
    path:
      description: Path of the disk on this boot; V(absent) for a disk that is expected and not there.
      type: str
    model:
      description: Model of the disk.
      type: str
    size_bytes:
      description: Size of the disk.
      type: int
    method:
      description: The method that was proved; V(null) when none was.
      type: str
    category:
      description: V(clear) or V(purge) in the words of NIST SP 800-88.
      type: str
    source:
      description: Where the method is described.
      type: str
    verified:
      description: The erasure was proved.
      type: bool
    zeroed:
      description: Every sampled place reads as zeros, so that an image may be written without preparing the disk.
      type: bool
    verification:
      description: Counts of marks, marks_left, samples, samples_zero, bytes_read.
      type: dict
    detail:
      description: One line for people.
      type: str
    notes:
      description: What else is to be known, such as a host protected area or frozen ATA security.
      type: list
      elements: str
    started_at:
      description: Start, ISO 8601, UTC.
      type: str
    ended_at:
      description: End, ISO 8601, UTC.
      type: str
    seconds:
      description: Seconds it took.
      type: float
    attempts:
      description: Method, outcome (verified, not verified, failed, not applicable), reason and seconds of every method that was tried.
      type: list
      elements: dict
applicable:
  description: In check mode, for each disk's path each allowed method with V(null) when it applies, else why not.
  returned: check mode
  type: dict
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._disks import DiskProblem, find_disks
from ansible_collections.metalpool.core.plugins.module_utils._erase import Proof, absent_record, erase_disk
from ansible_collections.metalpool.core.plugins.module_utils._erase_methods import METHODS
from ansible_collections.metalpool.core.plugins.module_utils._settle import await_disks


def main():
    names = [method.name for method in METHODS]
    module = AnsibleModule(
        argument_spec={
            "disks": {"type": "list", "elements": "str", "default": ["all"]},
            "methods": {"type": "list", "elements": "str", "choices": names, "default": names},
            "marks": {"type": "int", "default": 64},
            "samples": {"type": "int", "default": 1024},
            "full_read_bytes": {"type": "int", "default": 268435456},
            "expected": {"type": "list", "elements": "str", "default": []},
            "wait_seconds": {"type": "float", "default": 20},
            "fail": {"type": "bool", "default": True},
            "limit_seconds": {"type": "float", "default": 7000},
        },
        supports_check_mode=True,
    )
    params = module.params
    for name, least in (("marks", 0), ("samples", 1), ("full_read_bytes", 0)):
        if params[name] < least:
            module.fail_json(msg=f"{name}: {params[name]} is too small; give at least {least}.", erasures=[], verified=False)
    missing = await_disks(params["disks"] + params["expected"], params["wait_seconds"])
    try:
        disks = find_disks(params["disks"])
    except DiskProblem as problem:
        module.fail_json(msg=str(problem), erasures=[], verified=False)
    if not disks and not params["expected"]:
        module.fail_json(
            msg="disks: this node shows no disks. Check its controller and drivers; a node without disks needs no erasure.",
            erasures=[],
            verified=False,
        )
    methods = [method for method in METHODS if method.name in params["methods"]]
    if module.check_mode:
        applicable = {disk.path: {method.name: method.probe(disk) for method in methods} for disk in disks}
        module.exit_json(changed=True, applicable=applicable, erasures=[], verified=False)
    proof = Proof(params["marks"], params["samples"], params["full_read_bytes"])
    sources = {method.name: method.source for method in METHODS}
    with ThreadPoolExecutor(max_workers=max(len(disks), 1)) as pool:
        records = list(pool.map(lambda disk: erase_disk(disk, methods, proof, params["limit_seconds"]), disks))
    records += [absent_record(serial) for serial in missing]
    for record in records:
        record["source"] = sources.get(record["method"])
    failed = [record for record in records if not record["verified"]]
    if failed and params["fail"]:
        module.fail_json(
            msg=f"{len(failed)} of {len(records)} disks were not proved to be erased: "
            + " | ".join("{path} ({serial}): {detail}".format(**record) for record in failed),
            changed=True,
            verified=False,
            erasures=records,
        )
    module.exit_json(changed=True, verified=not failed, erasures=records)


if __name__ == "__main__":
    main()
