# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_power
short_description: Switch a machine's power through its BMC
version_added: 0.1.0
author: Metalpool contributors (@metalpool)
description:
  - Switches power on or off, or restarts the machine, and confirms it by reading the state back.
  - A state that is already reached is V(ok), not a change.
extends_documentation_fragment:
  - metalpool.core.bmc
options:
  state:
    description:
      - V(on) and V(off) switch power; V(off) does not ask the operating system.
      - V(soft_off) asks the operating system to shut down, and waits until power is off.
      - V(reset) restarts the machine without taking power away.
      - V(cycle) takes power away, confirms that it stays off for a second, and gives it back.
      - V(reset) and V(cycle) switch a machine on that is off. They always change.
    type: str
    required: true
    choices: ["on", "off", soft_off, reset, cycle]
  boot_device:
    description:
      - What to boot from when this task starts the machine, as M(metalpool.core.bmc_boot_device) sets it for the next boot. It is set
        in the same conversation, right before the start, so that no BMC has dropped it by then.
      - Nothing is set when the machine is on already and O(state=on).
    type: str
    choices: [network, disk, cdrom, setup, default]
  uefi:
    description: Ask the firmware to boot from O(boot_device) in UEFI mode, see M(metalpool.core.bmc_boot_device).
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait until the BMC reports the state that was asked for; V(0) sends the command and does
        not confirm it.
      - It comes on top of O(timeout). Other conversations with the BMC get their turn while it runs.
      - With O(state=cycle) it holds for each half, and must not be V(0).
    type: int
    default: 60
attributes:
  check_mode:
    description: Reads the state and says what would change.
    support: full
  diff_mode:
    description: Shows the power state before and after.
    support: full
seealso:
  - module: metalpool.core.bmc_boot_device
  - module: metalpool.core.bmc_info
"""

EXAMPLES = r"""
- name: Switch the machine on
  metalpool.core.bmc_power:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    state: "on"
  delegate_to: localhost

- name: Switch the machine on and let it boot from the network
  metalpool.core.bmc_power:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    state: "on"
    boot_device: network
    uefi: true
  delegate_to: localhost

- name: Let the operating system shut down, for at most five minutes
  metalpool.core.bmc_power:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    state: soft_off
    wait_timeout: 300
  delegate_to: localhost
"""

RETURN = r"""
power_state:
  description: State that the BMC reported last, V(on) or V(off).
  returned: success
  type: str
  sample: "on"
previous_power_state:
  description: State before.
  returned: success
  type: str
  sample: "off"
action:
  description: What was done, or would be in check mode; V(none) when nothing was to do.
  returned: success
  type: str
  sample: "on"
verified:
  description:
    - Whether RV(power_state) was read after the change and is the one that was asked for.
    - A reset does not show in the power state, V(true) then means that the BMC accepted it and the machine is on.
  returned: success
  type: bool
  sample: true
seconds:
  description: Time from the command to the confirmation, in seconds.
  returned: success
  type: float
  sample: 1.52
"""

import time
from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._bmc import BmcOptions, bmc_argument_spec, options_from
from ansible_collections.metalpool.core.plugins.module_utils._bmc_boot import override_boot, wanted_override
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcError
from ansible_collections.metalpool.core.plugins.module_utils._bmc_identity import read_identity
from ansible_collections.metalpool.core.plugins.module_utils._bmc_power import (
    OFF_SECONDS,
    control_power,
    read_power,
    run_in_session,
    wait_for_power,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_quirks import BOOT_SELECTORS, quirks_of

STARTS = ("on", "reset")
SOFT_OFF_NOTE = "Its operating system may ignore the request: use state=off, or give it longer with wait_timeout"
OFF_NOTE = "Look at the machine and at the BMC's event log"


def action_for(state: str, power: str) -> str:
    """What to do for the state that was asked for, given the power state now."""
    if state in ("reset", "cycle"):
        return state if power == "on" else "on"
    reached = power == ("on" if state == "on" else "off")
    return "none" if reached else state


def act(options: BmcOptions, action: str, wait: int, start: Callable) -> tuple:
    """Do it and confirm it; returns the power state, whether it was read back, and the seconds it took.

    :param start: how the machine is started: given a session and ``on`` or ``reset``
    """
    started = time.monotonic()
    first = "off" if action == "cycle" else action
    command = start if first in STARTS else control_power
    run_in_session(options, lambda bmc: command(bmc, first))
    wanted = "on" if action in ("on", "reset") else "off"
    if wait == 0:
        return run_in_session(options, read_power), False, time.monotonic() - started
    held_for = OFF_SECONDS if action == "cycle" else 0.0
    wait_for_power(options, wanted, wait, held_for, SOFT_OFF_NOTE if action == "soft_off" else OFF_NOTE)
    if action == "cycle":
        run_in_session(options, lambda bmc: start(bmc, "on"))
        wanted = "on"
        wait_for_power(options, wanted, wait, 0.0, OFF_NOTE)
    return wanted, True, time.monotonic() - started


class Starter:
    """Starts a machine from the device that was asked for, if any; keeps the warnings."""

    def __init__(self, device: str | None, uefi: bool) -> None:
        self.device, self.uefi = device, uefi
        self.warnings: list[str] = []

    def __call__(self, bmc, action: str) -> None:
        if self.device:
            quirks = quirks_of(read_identity(bmc).manufacturer_id)
            wanted = wanted_override(self.device, False, self.uefi, quirks)
            _found, _kept, _verified, self.warnings = override_boot(bmc, wanted, quirks)
        control_power(bmc, action)


def main() -> None:
    spec = bmc_argument_spec()
    spec.update(
        state={"type": "str", "required": True, "choices": ["on", "off", "soft_off", "reset", "cycle"]},
        boot_device={"type": "str", "choices": list(BOOT_SELECTORS)},
        uefi={"type": "bool", "default": False},
        wait_timeout={"type": "int", "default": 60},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = options_from(module)
    state, wait = module.params["state"], module.params["wait_timeout"]
    if wait < 0 or (wait == 0 and state == "cycle"):
        module.fail_json(msg=f"wait_timeout={wait} does not work with state={state}; give a positive number of seconds")
    if module.params["boot_device"] and state in ("off", "soft_off"):
        module.fail_json(msg=f"boot_device={module.params['boot_device']} does not go with state={state}, which starts nothing; "
                             "give it with state on, reset or cycle")
    start = Starter(module.params["boot_device"], module.params["uefi"])
    try:
        before = run_in_session(options, read_power)
        action = action_for(state, before)
        after, verified, seconds = before, action == "none", 0.0
        if action != "none":
            if module.check_mode:
                after = "off" if action in ("off", "soft_off") else "on"
            else:
                after, verified, seconds = act(options, action, wait, start)
    except BmcError as error:
        module.fail_json(**error.as_result())
    for warning in start.warnings:
        module.warn(warning)
    result = {
        "changed": action != "none",
        "power_state": after,
        "previous_power_state": before,
        "action": action,
        "verified": verified,
        "seconds": round(seconds, 3),
    }
    if module._diff:
        result["diff"] = {"before": {"power_state": before}, "after": {"power_state": after}}
        if action in ("reset", "cycle"):
            result["diff"]["after"]["action"] = action
    module.exit_json(**result)


if __name__ == "__main__":
    main()
