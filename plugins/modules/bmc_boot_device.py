# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_boot_device
short_description: Choose what a machine boots from next, through its BMC
version_added: 0.1.0
author: Metalpool contributors (@metalpool)
description:
  - Sets the boot flags of the BMC (IPMI 2.0, section 28.12) and reads them back as far as the BMC reports them.
  - The flags are always sent, because most BMCs drop them 60 seconds after they were set or when the
    machine has booted.
    The task is V(changed) only when the BMC reports something else than before.
  - Where the BMC allows it, the 60 second limit is taken away first.
extends_documentation_fragment:
  - metalpool.core.bmc
options:
  device:
    description: What to boot from; V(default) removes an override, so that the firmware's own order counts.
    type: str
    required: true
    choices: [network, disk, cdrom, setup, default]
  persistent:
    description: For every boot from now on instead of the next one only. Many firmwares ignore it.
    type: bool
    default: false
  uefi:
    description:
      - Ask the firmware to boot in UEFI mode. Give V(true) for a machine with UEFI; some firmwares boot in BIOS mode
        otherwise.
    type: bool
    default: false
attributes:
  check_mode:
    description:
      - Reads the flags and says what would change.
      - With a BMC that reports the device but not the flags, it says V(changed) where a real run finds
        nothing different.
    support: full
  diff_mode:
    description: Shows the flags before and after, as the BMC reports them.
    support: full
seealso:
  - module: metalpool.core.bmc_power
"""

EXAMPLES = r"""
- name: Boot from the network once
  metalpool.core.bmc_boot_device:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    device: network
    uefi: true
  delegate_to: localhost

- name: Leave the choice to the firmware again
  metalpool.core.bmc_boot_device:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    device: default
  delegate_to: localhost
"""

RETURN = r"""
boot_device:
  description: Device that was asked for.
  returned: success
  type: str
  sample: network
reported:
  description: The flags as the BMC reports them now; empty when it cannot report them.
  returned: success
  type: dict
  sample: {"device": "network", "valid": true, "persistent": false, "uefi": true}
verified:
  description:
    - For each property, whether reading it back confirmed it.
    - V(false) means that the BMC does not report it, or reports something else; a warning says which.
  returned: success
  type: dict
  sample: {"device": true, "persistent": true, "uefi": true}
kept:
  description:
    - Whether the BMC agreed to keep the flags for longer than 60 seconds. V(false) means to restart the machine now.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._bmc import bmc_argument_spec, bmc_session, options_from
from ansible_collections.metalpool.core.plugins.module_utils._bmc_boot import (
    confirm,
    override_boot,
    read_boot_override,
    wanted_override,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcError
from ansible_collections.metalpool.core.plugins.module_utils._bmc_identity import read_identity
from ansible_collections.metalpool.core.plugins.module_utils._bmc_quirks import BOOT_SELECTORS, quirks_of


def main() -> None:
    spec = bmc_argument_spec()
    spec.update(
        device={"type": "str", "required": True, "choices": list(BOOT_SELECTORS)},
        persistent={"type": "bool", "default": False},
        uefi={"type": "bool", "default": False},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = options_from(module)
    device = module.params["device"]
    kept = False
    try:
        with bmc_session(options) as bmc:
            quirks = quirks_of(read_identity(bmc).manufacturer_id)
            wanted = wanted_override(device, module.params["persistent"], module.params["uefi"], quirks)
            before = after = read_boot_override(bmc)
            if module.check_mode:
                verified, warnings = confirm(wanted, wanted, quirks)
            else:
                after, kept, verified, warnings = override_boot(bmc, wanted, quirks)
    except BmcError as error:
        module.fail_json(**error.as_result())
    if module.check_mode:
        verified = dict.fromkeys(verified, before == wanted)
        after = wanted if before is not None else None
    # A BMC that reports nothing cannot tell whether anything changed: it was told something, so it may have.
    changed = before is None or before != after
    for warning in warnings:
        module.warn(warning)
    reported = after.as_reported(quirks) if after is not None else {}
    result = {"changed": changed, "boot_device": device, "reported": reported, "verified": verified, "kept": kept}
    if module._diff:
        result["diff"] = {"before": before.as_reported(quirks) if before is not None else {}, "after": reported}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
