# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_info
short_description: Read what a BMC says about itself and its machine
version_added: 0.1.0
author: Metalpool contributors (@metalpool)
description:
  - Reads the power state, the boot device and the identity of a BMC, and on request its sensors and its event log.
  - Never changes anything.
extends_documentation_fragment:
  - metalpool.core.bmc
options:
  gather:
    description:
      - What to read beside the power state, the boot device and the identity.
      - V(lan) is the address and the MAC of the BMC's LAN channels, V(sel) its event log, V(sensors) all
        sensors with their readings. The last two may take minutes with a slow BMC, so raise O(timeout).
    type: list
    elements: str
    choices: [lan, sel, sensors]
    default: []
attributes:
  check_mode:
    description: Can run in check mode and does the same.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
seealso:
  - module: metalpool.core.bmc_power
  - module: metalpool.core.bmc_boot_device
"""

EXAMPLES = r"""
- name: Ask the BMC
  metalpool.core.bmc_info:
    bmc_host: 172.30.8.11
    bmc_user: metalpool
    bmc_password: "{{ bmc_password }}"
    gather: [sel]
  delegate_to: localhost
  register: bmc
"""

RETURN = r"""
power_state:
  description: V(on) or V(off).
  returned: success
  type: str
  sample: "on"
boot_device:
  description:
    - Boot flags that count for the next boot; the device is V(default) when there is no override, V(unknown) when not
      reported.
  returned: success
  type: dict
  sample: {"device": "default", "persistent": false, "uefi": false}
boot_reported:
  description: The same flags bit by bit; some BMCs report the device without the rest. Empty when not reported.
  returned: success
  type: dict
  sample: {"device": "network", "valid": false, "persistent": false, "uefi": false}
identity:
  description:
    - Firmware revision, IPMI version, numbers of manufacturer (IANA) and product, device id, the maker's name where it
      is known, and the system's GUID in SMBIOS notation, null when the BMC has none.
  returned: success
  type: dict
  sample:
    firmware: "2.10"
    ipmi_version: "2.0"
    manufacturer_id: 674
    product_id: 256
    device_id: 32
    maker: Dell
    guid: 44454c4c-3700-104a-8052-b4c04f4c3232
lan:
  description: LAN channels with address, source, MAC, netmask and gateway.
  returned: when O(gather) has V(lan)
  type: list
  elements: dict
sel:
  description: Event log, oldest first; the records with all their bytes and the fields that could be read.
  returned: when O(gather) has V(sel)
  type: list
  elements: dict
sel_info:
  description: Number of records, free bytes (null when not told) and whether records were lost.
  returned: when O(gather) has V(sel)
  type: dict
  sample: {"entries": 17, "free_bytes": 15000, "overflow": false}
sensors:
  description: Sensors with name, type, value, units, states and health.
  returned: when O(gather) has V(sensors)
  type: list
  elements: dict
seconds:
  description: Time that the conversation took, in seconds.
  returned: success
  type: float
  sample: 0.08
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._bmc import (
    BmcSession,
    PyghmiException,
    bmc_argument_spec,
    bmc_session,
    options_from,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_boot import read_boot_override
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcError, BmcUnsupported
from ansible_collections.metalpool.core.plugins.module_utils._bmc_identity import (
    lan_channels,
    read_guid,
    read_identity,
    read_lan,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_power import read_power
from ansible_collections.metalpool.core.plugins.module_utils._bmc_quirks import quirks_of
from ansible_collections.metalpool.core.plugins.module_utils._bmc_sel import describe_record, read_log, read_log_info


def read_sensors(bmc: BmcSession) -> list:
    """All sensors, by pyghmi, which knows how to compute readings from their records.

    :raises BmcUnsupported: when the BMC has no sensor records that can be read.
    """
    if bmc.raw(0x0A, 0x20, what="describe its sensor records")[1:3] == bytes(2):
        return []  # pyghmi fails for a BMC without sensor records
    health = {0: "ok", 1: "warning", 2: "critical", 3: "failed"}
    try:
        readings = list(bmc.pyghmi.get_sensor_data())
    except (PyghmiException, LookupError, TypeError, ValueError, AssertionError) as error:
        raise BmcUnsupported(f"the BMC's sensors cannot be read: {error!r}; leave sensors out of gather") from error
    return [
        {
            "name": str(sensor.name),
            "type": str(sensor.type),
            "value": sensor.value,
            "units": str(sensor.units or ""),
            "states": [str(state) for state in sensor.states or []],
            "health": health.get(int(sensor.health or 0), "unknown"),
        }
        for sensor in readings
    ]


def gather(bmc: BmcSession, subjects: list) -> dict:
    identity = read_identity(bmc)
    quirks = quirks_of(identity.manufacturer_id)
    override = read_boot_override(bmc)
    unknown = {"device": "unknown", "persistent": False, "uefi": False}
    found = {
        "power_state": read_power(bmc),
        "boot_device": override.as_dict(quirks) if override else unknown,
        "boot_reported": override.as_reported(quirks) if override else {},
        "identity": dict(identity.as_dict(), maker=quirks.maker or None, guid=read_guid(bmc)),
    }
    if "lan" in subjects:
        found["lan"] = [read_lan(bmc, channel) for channel in lan_channels(bmc)]
    if "sel" in subjects:
        found["sel_info"] = read_log_info(bmc)
        found["sel"] = [describe_record(record) for record in read_log(bmc)]
    if "sensors" in subjects:
        found["sensors"] = read_sensors(bmc)
    return found


def main() -> None:
    spec = bmc_argument_spec()
    spec.update(gather={"type": "list", "elements": "str", "choices": ["lan", "sel", "sensors"], "default": []})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = options_from(module)
    started = time.monotonic()
    try:
        with bmc_session(options) as bmc:
            found = gather(bmc, module.params["gather"])
    except BmcError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=False, seconds=round(time.monotonic() - started, 3), **found)


if __name__ == "__main__":
    main()
