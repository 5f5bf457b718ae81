# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_nonce
short_description: Put a nonce into a BMC's event log
version_added: 0.1.0
author: Metalpool contributors (@metalpool)
description:
  - Adds one record to the BMC's event log over the LAN (Add SEL Entry, IPMI 2.0, section 31.6), of the OEM type
    C(0xE0) with the data C(0x4D) and the nonce's 12 bytes.
  - The machine that this BMC belongs to reads it in-band and shows it, which another machine on the same network
    cannot.
  - Nothing happens when the log's last record carries this nonce already.
  - A full log is saved into the result, cleared, and then gets the record. Otherwise no record is ever removed.
extends_documentation_fragment:
  - metalpool.core.bmc
options:
  nonce:
    description: 12 random bytes as 24 hexadecimal digits. It is a secret until it was used.
    type: str
    required: true
attributes:
  check_mode:
    description: Reads the last record and says whether a record would be added.
    support: full
  diff_mode:
    description: There is nothing to show, a nonce is secret.
    support: none
seealso:
  - module: metalpool.core.bmc_info
"""

EXAMPLES = r"""
- name: Let the node prove that it is the one
  metalpool.core.bmc_nonce:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    nonce: "{{ armed_boot.nonce }}"
  delegate_to: localhost
"""

RETURN = r"""
entries:
  description: Number of records in the event log now.
  returned: success
  type: int
  sample: 17
verified:
  description: Whether the record was read back.
  returned: success
  type: bool
  sample: true
cleared_log:
  description: The records of a log that was full, oldest first, before it was cleared; empty when it was not cleared.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._bmc import bmc_argument_spec, bmc_session, options_from
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcError
from ansible_collections.metalpool.core.plugins.module_utils._bmc_sel import (
    NONCE_BYTES,
    describe_record,
    holds_nonce,
    last_record,
    place_nonce,
    read_log_info,
)


def main() -> None:
    spec = bmc_argument_spec()
    spec.update(nonce={"type": "str", "required": True, "no_log": True})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = options_from(module)
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * NONCE_BYTES}}}", module.params["nonce"]):
        module.fail_json(
            msg=f"nonce has {len(module.params['nonce'])} characters or other than hexadecimal digits; "
            f"give {NONCE_BYTES} random bytes as {2 * NONCE_BYTES} hexadecimal digits"
        )
    nonce = bytes.fromhex(module.params["nonce"])
    cleared = None
    try:
        with bmc_session(options) as bmc:
            there = holds_nonce(last_record(bmc), nonce)
            if not there and not module.check_mode:
                cleared = place_nonce(bmc, nonce)
            entries = read_log_info(bmc)["entries"]
    except BmcError as error:
        module.fail_json(**error.as_result())
    module.exit_json(
        changed=not there,
        entries=entries,
        verified=there or not module.check_mode,
        cleared_log=[describe_record(record) for record in cleared or []],
    )


if __name__ == "__main__":
    main()
