# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acquires a machine, or gives it back."""
from __future__ import annotations

DOCUMENTATION = r"""
module: allocation
short_description: Acquire a physical server that fits, or give it back
version_added: 0.1.0
description:
  - Acquires the node that fits best and puts an operating system and your SSH key on it; or releases it,
    after which its disks are erased.
  - Run again with the same O(name), it changes nothing and returns the same node. It does not install twice.
  - An allocation whose deploy failed is deployed again, on the same node.
  - When nothing fits, the message says which constraint excluded how many nodes, what only just misses, and whether
    waiting helps.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.constraints
  - metalpool.core.wait
  - metalpool.core.attributes
  - metalpool.core.attributes.actiongroup_api
attributes:
  check_mode:
    support: full
    details: [Says which node would be taken, or that one would stand in line, if it were acquired at that moment.]
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: [Needs O(name). O(redeploy=true) deploys at every run.]
options:
  name:
    description:
      - Name of the allocation. The service makes one up when it is not given, but then each run acquires another node.
      - Needed with O(state=absent).
    type: str
  state:
    description:
      - V(present) - the node is acquired, and deployed unless O(deploy=false).
      - V(absent) - the allocation is released and its node erased.
    type: str
    choices: [present, absent]
    default: present
  count:
    description:
      - Acquires so many nodes at once, or none. Each is an allocation of its own, O(name) with C(-1), C(-2), ... after it, and all
        of them are a set of that name. Not given, one node is acquired.
      - With O(queue), a set stands in line until all its nodes, or O(min_count) of them, are free at once. In line O(name) with
        C(-1) stands for all of it.
      - With O(state=absent), a set of the name is released whether this is given or not.
    type: int
  min_count:
    description: With O(count), so many nodes at least are enough.
    type: int
  same:
    description: With O(count), what all nodes share, such as V(zone), V(rack), V(pool) or V(fabric), or several of these.
    type: raw
  image:
    description:
      - Image to deploy.
      - Not given, it is the one of the highest version of those that the service has for O(arch), as long as all of
        these
        are of one operating system.
    type: str
  deploy:
    description:
      - Whether to deploy. With V(false) the node is only acquired; run again with V(true) to deploy it.
    type: bool
    default: true
  redeploy:
    description: Whether to deploy again what is deployed already. Everything on the root disk is lost.
    type: bool
    default: false
  hostname:
    description: Host name of the installed system. By default the name of the allocation.
    type: str
  root_disk:
    description: Serial number of the disk to install on, where the node has several that fit.
    type: str
  addresses:
    description:
      - A fixed address to have in a subnet, by the subnet's name; it must be free. Only read when the node is acquired.
      - Without it the node gets the lowest free address of each subnet that assigns addresses.
    type: dict
    default: {}
  note:
    description: A remark for people.
    type: str
  annotations:
    description: Keys and values for you and your tools. A key whose value is null is removed, those not named stay.
    type: dict
    default: {}
  user:
    description: User that is made on the node, with sudo. By default the image's own.
    type: str
  ssh_keys:
    description:
      - SSH public keys that may log in as O(user).
      - When neither this nor O(ssh_key_files) nor O(password_hash) is given, the keys that you registered with
        M(metalpool.core.ssh_key) are taken; if there are none, V(~/.ssh/id_ed25519.pub), V(~/.ssh/id_ecdsa.pub),
        V(~/.ssh/id_rsa.pub) and V(~/.ssh/id_ed25519_sk.pub) of who runs the module, as far as they exist.
    type: list
    elements: str
    default: []
  ssh_key_files:
    description: Files with SSH public keys, on the host that runs the module, which is mostly V(localhost).
    type: list
    elements: path
    default: []
  password_hash:
    description:
      - Hash of a password for O(user), as C(ansible.builtin.password_hash) makes it. Without it no password works.
    type: str
  extra_users:
    description: More users to make.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      ssh_keys:
        description: SSH public keys that may log in as this user.
        type: list
        elements: str
        default: []
      sudo:
        description: Whether the user may become root.
        type: bool
        default: false
      password_hash:
        description: Hash of a password.
        type: str
  user_data:
    description: cloud-init user data, a text, given to the installed system.
    type: str
  lease:
    description:
      - How long the node is held, such as V(8h), V(2d) or V(90m), counted from the moment it is got. Then it is released.
      - Not given, it is what the pool says, which mostly is until it is released.
    type: str
  until:
    description: When the allocation ends, in ISO 8601 with a time zone, instead of O(lease).
    type: str
  extend:
    description:
      - Whether an allocation that is there is to end later. With O(lease), so long from now, at every run.
      - The pool sets limits; the message says which end is allowed.
    type: bool
    default: false
  queue:
    description:
      - Whether to stand in line when nothing is free but something could be, or when the quota is used up. With O(count), until
        all nodes can be had at once.
      - With O(wait=true) the task then waits for its node first, and for the deploy after that. A module cannot show its place
        in line; use O(wait=false) and M(metalpool.core.allocation_wait) to see it.
    type: bool
    default: false
  queue_timeout:
    description: With O(queue), how long to stand in line at most, such as V(2h). Not given, for as long as it takes.
    type: str
"""

EXAMPLES = r"""
- name: A machine with 32 GiB, Debian and my key
  metalpool.core.allocation:
    name: web1
    mem: 32G
    image: debian-13
  register: acquired

- name: Configure it in the next play
  ansible.builtin.add_host:
    name: "{{ acquired.allocation.hostname }}"
    groups: acquired
    ansible_host: "{{ acquired.allocation.address }}"
    ansible_user: "{{ acquired.allocation.ssh_user }}"

- name: Acquire now, deploy later
  metalpool.core.allocation:
    name: db1
    cpus: 16
    tag: ssd
    deploy: false

- name: Wait for a machine with a GPU, and keep it for two days
  metalpool.core.allocation:
    name: train1
    tag: gpu
    lease: 2d
    queue: true

- name: Keep it for a day from now on
  metalpool.core.allocation:
    name: train1
    lease: 24h
    extend: true

- name: A GPU machine, with a fast disk for / and four large ones, near the file server if possible
  metalpool.core.allocation:
    name: train1
    mem: 256G..1T
    devices: 2 x gpu model=A100
    disks: 500G nvme, 4 x hdd 4T..
    prefer: zone=row-4
    not_tags: noisy
    image: debian-13

- name: Eight machines in one zone, or none
  metalpool.core.allocation:
    name: cluster
    count: 8
    same: zone
    where: facts.cpu.model is search('EPYC')
    image: debian-13
  register: cluster

- name: Give it back, erased
  metalpool.core.allocation:
    name: web1
    state: absent
"""

RETURN = r"""
allocation:
  description: The allocation, of a set the first; in check mode, when it would be made, what was asked for and RV(allocation.node).
  returned: success, except for an allocation that was absent already
  type: dict
  contains:
    name:
      description: Name of the allocation.
      returned: always
      type: str
    node:
      description: Name of the node, null while it waits in line.
      returned: always
      type: str
    state:
      description: V(waiting), V(allocated), V(deploying), V(active), V(failed), V(releasing) or V(released).
      returned: always
      type: str
    address:
      description: IP address of the installed system.
      returned: when active
      type: str
    addresses:
      description: The fixed addresses that it has, each with C(subnet), C(ip) and C(interface), which is a MAC address.
      returned: always
      type: list
      elements: dict
    note:
      description: The remark.
      returned: always
      type: str
    annotations:
      description: The keys and values.
      returned: always
      type: dict
    ssh_user:
      description: User to log in as.
      returned: when active
      type: str
    host_keys:
      description: The SSH host keys that the installed system reported.
      returned: when active
      type: list
      elements: str
    place:
      description: Place in line; null when it does not wait.
      returned: always
      type: int
    expires_at:
      description: When it ends by itself; null when it does not.
      returned: always
      type: str
    operation:
      description: Id of the latest operation, null when there was none.
      returned: always
      type: str
allocations:
  description: All allocations of the set; while it stands in line, the one that stands there for all.
  returned: when it is a set
  type: list
  elements: dict
candidates:
  description:
    - Nodes that would be taken, best first, with C(node), C(zone), C(pool), C(cost), C(cost_parts), C(preferences), C(root_disk),
      C(last_used_at).
  returned: in check mode, when an allocation would be made
  type: list
  elements: dict
would_wait:
  description: Whether it would stand in line; there are no RV(candidates) then.
  returned: in check mode, when an allocation would be made
  type: bool
operations:
  description: The releases of the set's allocations; as they ended, with O(wait).
  returned: when a set was released
  type: list
  elements: dict
operation:
  description: The deploy or release that this run started or joined; as it ended, with O(wait).
  returned: when there is one
  type: dict
"""

from ansible_collections.metalpool.core.plugins.module_utils._allocation_absent import absent
from ansible_collections.metalpool.core.plugins.module_utils._allocation_job import Failed, Job
from ansible_collections.metalpool.core.plugins.module_utils._allocation_present import present
from ansible_collections.metalpool.core.plugins.module_utils._allocation_request import LEASE
from ansible_collections.metalpool.core.plugins.module_utils._module import WAIT_SPEC, connected, make_module
from ansible_collections.metalpool.core.plugins.module_utils._wanted import WANTED_SPEC


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **WANTED_SPEC,
            "count": {"type": "int"},
            "min_count": {"type": "int"},
            "same": {"type": "raw"},
            "image": {"type": "str"},
            "deploy": {"type": "bool", "default": True},
            "redeploy": {"type": "bool", "default": False},
            "hostname": {"type": "str"},
            "root_disk": {"type": "str"},
            "addresses": {"type": "dict", "default": {}},
            "note": {"type": "str"},
            "annotations": {"type": "dict", "default": {}},
            "user": {"type": "str"},
            "ssh_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "ssh_key_files": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "password_hash": {"type": "str", "no_log": True},
            "extra_users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "ssh_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
                    "sudo": {"type": "bool", "default": False},
                    "password_hash": {"type": "str", "no_log": True},
                },
            },
            "user_data": {"type": "str", "no_log": True},
            **{key: {"type": "str"} for key in LEASE},
            "extend": {"type": "bool", "default": False},
            "queue": {"type": "bool", "default": False},
            "queue_timeout": {"type": "str"},
            **WAIT_SPEC,
        },
        required_if=[("state", "absent", ("name",)), ("extend", True, ("name",)), ("extend", True, LEASE, True)],
        mutually_exclusive=[LEASE],
        required_by={"min_count": ("count",), "same": ("count",)},
    )
    if module.params["queue_timeout"] and not module.params["queue"]:
        wrong = module.params["queue_timeout"]
        module.fail_json(msg=f"queue_timeout={wrong} is given, but nothing stands in line: set queue: true as well")
    with connected(module) as api:
        job = Job(api, module.params, module.check_mode, module.warn)
        try:
            result = present(job) if module.params["state"] == "present" else absent(job)
        except Failed as exc:
            module.fail_json(msg=str(exc), **exc.result)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
