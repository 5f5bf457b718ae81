# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hardware_info
short_description: Learn the hardware of this node
description:
  - Runs on the node, in the ephemeral OS. Returns what the machine is made of as one document. It changes nothing.
  - A tool that is missing or fails leaves its fields V(null) or its list empty, and a line in RV(problems); it never ends the module.
  - RAM disks, loop devices, optical disks and removable USB sticks are no disks of the node.
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
options:
  lldp_seconds:
    description:
      - How long to listen for LLDP neighbours at most; it ends earlier when every interface with a link has one.
      - With V(0) only what a running lldpd has heard already is reported. Switches speak every 30 seconds by default.
      - When it is more than V(0), interfaces that are down are taken up, and lldpd is started where it does not run. Not in check mode.
    type: float
    default: 0
attributes:
  check_mode:
    support: full
    description: The module changes nothing.
  diff_mode:
    support: none
    description: The module changes nothing.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Learn the hardware, the switches beside it included
  metalpool.core.hardware_info:
    lldp_seconds: 35
  register: hardware

- name: Show the disks
  ansible.builtin.debug:
    var: hardware.facts.disks
"""

RETURN = r"""
facts:
  description: The document. Sizes are in bytes.
  returned: success
  type: dict
  contains:
    system:
      description: C(vendor), C(product), C(serial), C(uuid) from SMBIOS.
      type: dict
    firmware:
      description: C(kind) (V(bios) or V(uefi)), C(vendor), C(version), C(date), C(secure_boot).
      type: dict
    cpu:
      description: C(arch), C(model), C(sockets), C(cores), C(threads), C(mhz_max).
      type: dict
    numa:
      description: C(node), C(cpus), C(memory_bytes) of each NUMA node.
      type: list
      elements: dict
    memory:
      description: >-
        C(bytes) installed, C(usable_bytes), and C(modules) with C(locator), C(bytes), C(kind), C(speed_mts), C(serial), C(manufacturer).
      type: dict
    disks:
      description: >-
        C(name), C(path), C(model), C(serial), C(wwn), C(size_bytes), C(kind) (V(nvme), V(ssd), V(hdd)), C(rotational), C(transport),
        C(wear_percent), C(logical_block_bytes) of each disk.
      type: list
      elements: dict
    interfaces:
      description: >-
        C(name), C(mac), C(driver), C(speed_mbps) (of the link; without one, of the fastest mode), C(link), C(pci_address), C(addresses),
        and C(lldp) with C(chassis), C(port), C(system) of each interface.
      type: list
      elements: dict
    pci:
      description: C(address), C(class), C(class_name), C(vendor_id), C(device_id), C(vendor), C(device), C(driver) of each PCI device.
      type: list
      elements: dict
    usb:
      description: C(bus), C(vendor_id), C(device_id), C(product) of each USB device but the root hubs.
      type: list
      elements: dict
    tpm:
      description: C(present), C(version).
      type: dict
    bmc:
      description: C(address), C(mac), C(firmware), C(ipmi_version), C(manufacturer_id) as seen in-band; V(null) without a BMC.
      type: dict
    boot:
      description: C(order) and C(entries) (C(id), C(label), C(active)) of UEFI; empty on BIOS.
      type: dict
problems:
  description: What could not be learned, a line each.
  returned: success
  type: list
  elements: str
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils import _facts_devices as devices
from ansible_collections.metalpool.core.plugins.module_utils import _facts_system as machine
from ansible_collections.metalpool.core.plugins.module_utils._facts_lldp import listen
from ansible_collections.metalpool.core.plugins.module_utils._settle import settle
from ansible_collections.metalpool.core.plugins.module_utils._uefi import read_state


def boot():
    """The part "boot"; empty on BIOS."""
    state = read_state()
    return state.as_facts() if state else {"order": [], "entries": []}


# Each part of the document, and what stands there when it cannot be learned at all
PARTS = (
    ("system", machine.system, {"vendor": None, "product": None, "serial": None, "uuid": None}),
    ("firmware", machine.firmware, {"kind": "bios", "vendor": None, "version": None, "date": None, "secure_boot": False}),
    ("cpu", machine.cpu, {"arch": machine.architecture(), "model": None, "sockets": None, "cores": None, "threads": None, "mhz_max": None}),
    ("numa", machine.numa, []),
    ("memory", machine.memory, {"bytes": None, "usable_bytes": None, "modules": []}),
    ("disks", devices.disks, []),
    ("pci", devices.pci, []),
    ("usb", devices.usb, []),
    ("tpm", machine.tpm, {"present": False, "version": None}),
    ("bmc", machine.bmc, None),
    ("boot", boot, {"order": [], "entries": []}),
)


def learn(lldp_seconds):
    """All parts, learned at the same time.

    :returns: (document, problems)
    """
    problems = []

    def guarded(name, function, otherwise):
        try:
            return function()
        except Exception as error:  # a machine's odd answer in one part must not cost the others
            problems.append(f"{name}: {type(error).__name__}: {error}")
            return otherwise

    with ThreadPoolExecutor(max_workers=len(PARTS) + 1) as pool:
        heard = pool.submit(guarded, "lldp", lambda: listen(lldp_seconds) if lldp_seconds > 0 else devices.lldp_neighbours(), {})
        parts = {name: pool.submit(guarded, name, function, otherwise) for name, function, otherwise in PARTS}
        facts = {name: part.result() for name, part in parts.items()}
        facts["interfaces"] = guarded("interfaces", lambda: devices.interfaces(heard.result()), [])
    return facts, problems


def main():
    module = AnsibleModule(argument_spec={"lldp_seconds": {"type": "float", "default": 0}}, supports_check_mode=True)
    settle()
    facts, problems = learn(0 if module.check_mode else module.params["lldp_seconds"])
    module.exit_json(changed=False, facts=facts, problems=problems)


if __name__ == "__main__":
    main()
