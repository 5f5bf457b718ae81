# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say what a node must have or be; the service parses all of them."""
from __future__ import annotations


class ModuleDocFragment:
    """Fragment C(metalpool.core.constraints)."""

    DOCUMENTATION = r"""
options:
  node:
    description: One of these nodes, by name, and no other.
    type: raw
  not_node:
    description: None of these nodes.
    type: raw
  arch:
    description: Architecture, such as V(amd64) or V(arm64), or any of several.
    type: raw
  not_arch:
    description: None of these architectures.
    type: raw
  cpus:
    description:
      - At least this number of threads; or a range, such as V(8..16) or V(..16).
      - All numbers and sizes can be ranges.
    type: raw
  cpu_speed:
    description: At least this clock rate, such as V(2400) (MHz) or V(2.4GHz).
    type: raw
  mem:
    description: At least this memory, such as V(32G), V(32GiB) or V(32768M), which are all the same; or a range, V(32G..64G).
    type: raw
  tags:
    description: Tags that the node must have, all of them; a list, or a text with commas.
    type: raw
  tag:
    description: Another way to write O(tags), which is a name that playbooks cannot use for a variable.
    type: raw
  not_tags:
    description: Tags of which the node must have none.
    type: raw
  not_tag:
    description: Another way to write O(not_tags).
    type: raw
  zone:
    description: Zone that the node must be in, or any of several.
    type: raw
  not_zone:
    description: Zones that the node must not be in.
    type: raw
  pool:
    description: Pool that the node must belong to, or any of several.
    type: raw
  not_pool:
    description: Pools that the node must not belong to.
    type: raw
  fabric:
    description: The node has an interface on a VLAN of this fabric, or of any of several.
    type: raw
  not_fabric:
    description: It has none on these.
    type: raw
  vlan:
    description: The node has an interface on this VLAN, by name or by number, or on any of several.
    type: raw
  not_vlan:
    description: It has none on these.
    type: raw
  subnet:
    description: The node has an interface on the VLAN of this subnet, by name or in CIDR form, or of any of several.
    type: raw
  not_subnet:
    description: It has none on these.
    type: raw
  space:
    description: The node has an interface on a VLAN of this space.
    type: raw
  link_speed:
    description: An interface of at least this speed, such as V(10G) or V(25000) (Mbit/s).
    type: raw
  power:
    description: Power state, V(on), V(off), V(unknown), or any of several.
    type: raw
  firmware:
    description: V(bios) or V(uefi).
    type: raw
  tpm:
    description: Version of the TPM, V(1.2) or V(2.0); V(any) or V(none).
    type: raw
  numa:
    description: At least this number of NUMA nodes.
    type: raw
  gpus:
    description: At least this number of GPUs. Which ones is said in O(devices).
    type: raw
  disks:
    description:
      - Disks that the node must have, different ones for all entries, at most six entries. The first is for V(/) and is what the
        image is installed on.
      - A text such as V(1T nvme, 4 x hdd 2T.., 500G ssd tag=fast), or a list of dictionaries with C(size), C(kind) (V(nvme),
        V(ssd), V(hdd)), C(tags), C(model), C(serial), C(count).
    type: raw
  interfaces:
    description:
      - Network interfaces that the node must have, different ones for all entries.
      - A text such as V(subnet=lab speed=10G, 2 x 25G), or a list of dictionaries with C(subnet), C(vlan), C(fabric), C(space),
        C(speed), C(driver), C(name), C(tags), C(link), C(count).
    type: raw
  devices:
    description:
      - PCI and USB devices that the node must have, different ones for all entries.
      - A text such as V(2 x gpu model=A100, vendor=15b3), or a list of dictionaries with C(gpu), C(model), C(vendor), C(product),
        C(class), C(driver), C(bus), C(count). Vendor and product are ids or parts of the name.
    type: raw
  where:
    description:
      - A boolean Jinja2 expression over the node's columns and facts, such as V(facts.cpu.model is search('EPYC') and gpus >= 2).
        In a playbook it is a text that Ansible must not evaluate; use C(!unsafe) where it has braces.
    type: raw
  constraints:
    description:
      - Constraints by name, for those that have no option here. The options win over it.
      - The service refuses a name that it does not know.
    type: dict
    default: {}
  prefer:
    description:
      - Constraints that rank nodes and exclude none, the most important first. A dictionary, a text such as
        V(zone=a, mem=64G..), or a list of them.
    type: raw
  not_with:
    description:
      - Names of your allocations, or sets of them. The node is none of theirs, released ones included; with O(spread) it is in
        other places than theirs.
    type: raw
  spread:
    description:
      - V(zone), V(rack), V(pool) or V(fabric). With O(count), the nodes are as evenly in different ones as those that fit allow.
        With O(not_with), no node is in the same one as theirs.
    type: raw
"""
