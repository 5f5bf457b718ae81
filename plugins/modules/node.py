# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds, changes or removes a node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Add, change or remove a physical server
version_added: 0.1.0
description:
  - Adds a node by hand, with its BMC and the MAC addresses of its interfaces, instead of waiting for it to enlist
    itself.
  - Changes where a node belongs and what is known of it. What commissioning learns (memory, disks ...) is not set here.
  - A node that was added is V(new) until it is commissioned, see M(metalpool.core.operation).
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.actiongroup_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: [Not with O(update_bmc_account=always), because a password cannot be read back.]
options:
  name:
    description: Name of the node.
    type: str
    required: true
  state:
    description:
      - V(present) - the node is known, and the options that are given hold.
      - V(absent) - the node is not known. Refused while somebody holds it or an operation is under way.
    type: str
    choices: [present, absent]
    default: present
  bmc:
    description: How to reach the node's BMC with its present account. Commissioning makes an account of its own there.
    type: dict
    suboptions:
      kind:
        description: What the BMC speaks.
        type: str
        choices: [ipmi]
        default: ipmi
      address:
        description: IP address or host name.
        type: str
        required: true
      port:
        description: UDP port.
        type: int
        default: 623
      username:
        description: Account on the BMC.
        type: str
      password:
        description: Password of the account. It is stored encrypted and never given out.
        type: str
  update_bmc_account:
    description:
      - When the account in O(bmc) is given to the service.
      - V(on_create) - when it knows no account of that BMC. Commissioning makes an account of its own and forgets this
        one.
      - V(always) - at every run; for a BMC whose account is known to be another one now.
    type: str
    choices: [on_create, always]
    default: on_create
  interfaces:
    description:
      - Interfaces that the node boots from. Needed for a node that is added.
      - For a node that exists, those that it lacks are added, by MAC address. Commissioning adds what it finds.
    type: list
    elements: dict
    suboptions:
      mac:
        description: MAC address.
        type: str
        required: true
      name:
        description: Name of the interface.
        type: str
  arch:
    description: Architecture. Needed for a node that is added.
    type: str
    choices: [amd64, arm64]
  firmware:
    description: How the node boots.
    type: str
    choices: [bios, uefi]
  zone:
    description: Zone that the node is in.
    type: str
  pool:
    description: Pool that the node belongs to.
    type: str
  rack:
    description: Rack whose worker looks after the node.
    type: str
  tags:
    description: The node's tags, all of them. An empty list removes every tag.
    type: list
    elements: str
  uuid:
    description: SMBIOS UUID, by which the node is recognised when it boots.
    type: str
  serial:
    description: Serial number.
    type: str
  root_disk:
    description:
      - Serial number of the disk to install on, where the node has several that fit.
      - Disks are known once the node was commissioned; before that, this is passed over with a warning.
    type: str
  locked:
    description: Whether the node is kept from being released, redeployed or removed.
    type: bool
  weak_boot_token:
    description:
      - Whether the node may prove itself with a token from its boot loader because it has no BMC that it can read
        in-band.
      - Another machine on the same network can then take its place. Needed for such nodes only.
    type: bool
  comment:
    description: A remark for people.
    type: str
  annotations:
    description: Keys and values for people and their tools, all of them.
    type: dict
"""

EXAMPLES = r"""
- name: Add a server
  metalpool.core.node:
    name: r1u07
    arch: amd64
    zone: room-1
    pool: compute
    tags: [ssd, ten-gigabit]
    interfaces:
      - mac: 52:54:00:aa:00:07
    bmc:
      address: 10.0.8.17
      username: ADMIN
      password: "{{ vault_factory_password }}"

- name: Say which disk to install on
  metalpool.core.node:
    name: r1u07
    root_disk: S4EVNF0M123456

- name: Take a server out of the inventory
  metalpool.core.node:
    name: r1u07
    state: absent
"""

RETURN = r"""
node:
  description: The node as it is now; as it would be, in check mode; as it was, when it was removed.
  returned: success, except for a node that was absent already
  type: dict
  contains:
    name:
      description: Name of the node.
      returned: always
      type: str
    state:
      description: State of the node, such as V(new) or V(ready).
      returned: always
      type: str
    zone:
      description: Zone.
      returned: always
      type: str
    pool:
      description: Pool.
      returned: always
      type: str
    tags:
      description: Tags.
      returned: always
      type: list
      elements: str
    bmc:
      description: Address, port and account of the BMC, without the password.
      returned: always
      type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import (
    connected,
    diff_of,
    differences,
    make_module,
)

PLAIN = (
    "arch",
    "firmware",
    "zone",
    "pool",
    "rack",
    "uuid",
    "serial",
    "root_disk",
    "locked",
    "weak_boot_token",
    "comment",
)


def given(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The node as the API takes it: what was said, nothing else."""
    wanted = {key: params[key] for key in (*PLAIN, "tags") if params[key] is not None}
    if params["annotations"] is not None:
        wanted["annotations"] = {key: str(value) for key, value in params["annotations"].items()}
    if params["interfaces"] is not None:
        wanted["interfaces"] = [
            {key: value for key, value in interface.items() if value is not None} for interface in params["interfaces"]
        ]
    if params["bmc"] is not None:
        wanted["bmc"] = {key: value for key, value in params["bmc"].items() if value is not None}
    return wanted


def one_spelling(mac: str) -> str:
    """A MAC address as the service spells it: aa:bb:cc:dd:ee:ff."""
    return mac.strip().lower().replace("-", ":")


def changes_to(node: dict[str, t.Any], wanted: dict[str, t.Any], update_bmc_account: str) -> dict[str, t.Any]:
    """What has to be changed at a node that exists."""
    plain = {key: wanted.get(key) for key in PLAIN}
    if plain["uuid"]:
        plain["uuid"] = plain["uuid"].lower()
    changes = differences(node, plain)
    if "tags" in wanted and sorted(wanted["tags"]) != sorted(node.get("tags") or []):
        changes["tags"] = wanted["tags"]
    annotations = node.get("annotations") or {}
    if wanted.get("annotations", annotations) != annotations:
        changes["annotations"] = {**dict.fromkeys(annotations), **wanted["annotations"]}
    there = [{key: one[key] for key in ("mac", "name") if one.get(key)} for one in node["interfaces"]]
    known = {one["mac"] for one in there}
    lacking = [one for one in wanted.get("interfaces", []) if one_spelling(one["mac"]) not in known]
    if lacking:
        changes["interfaces"] = there + lacking
    if "bmc" in wanted:
        bmc = node.get("bmc") or {}
        place = differences(bmc, {key: wanted["bmc"].get(key) for key in ("kind", "address", "port")})
        account = {key: wanted["bmc"][key] for key in ("username", "password") if key in wanted["bmc"]}
        if not account or (bmc.get("username") and update_bmc_account == "on_create"):
            account = {}
        if place or account:
            changes["bmc"] = {**place, **account}
    return changes


def shown(changes: dict[str, t.Any], node: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    """The changes as the node will show them: without the BMC's password, and with what its BMC keeps."""
    if "annotations" in changes:
        kept = {key: value for key, value in changes["annotations"].items() if value is not None}
        changes = {**changes, "annotations": kept}
    if "bmc" not in changes:
        return changes
    visible = {key: value for key, value in changes["bmc"].items() if key != "password"}
    return {**changes, "bmc": {**((node or {}).get("bmc") or {}), **visible}}


def present(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Add the node or change it."""
    name = module.params["name"]
    wanted = given(module.params)
    node = api.find(f"/nodes/{segment(name)}")
    if "root_disk" in wanted and not (node or {}).get("disks"):
        serial = wanted.pop("root_disk")
        module.warn(f"root_disk={serial} is not set: the disks of {name} are known once it was commissioned")
    if node is None:
        after = {"name": name, **shown(wanted)}
        result = {"changed": True, "diff": {"before": {}, "after": after}, "node": after}
        if not module.check_mode:
            result["node"] = add(api, name, wanted)
        return result
    changes = changes_to(node, wanted, module.params["update_bmc_account"])
    after = shown(changes, node)
    result = {"changed": bool(changes), "diff": diff_of(node, after), "node": {**node, **after}}
    if changes and not module.check_mode:
        result["node"] = api.patch(f"/nodes/{segment(name)}", changes).json
    return result


def add(api: Api, name: str, wanted: dict[str, t.Any]) -> dict[str, t.Any]:
    """Add the node; a lock is not part of adding it."""
    first = {key: value for key, value in wanted.items() if key != "locked"}
    node = api.post("/nodes", {"name": name, **first}).json
    if wanted.get("locked"):
        node = api.patch(f"/nodes/{segment(name)}", {"locked": True}).json
    return node


def absent(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Remove the node."""
    path = f"/nodes/{segment(module.params['name'])}"
    node = api.find(path)
    if node is None:
        return {"changed": False}
    if not module.check_mode:
        api.delete(path)
    return {"changed": True, "node": node, "diff": {"before": {"name": node["name"]}, "after": {}}}


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "bmc": {
                "type": "dict",
                "options": {
                    "kind": {"type": "str", "choices": ["ipmi"], "default": "ipmi"},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 623},
                    "username": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                },
            },
            "update_bmc_account": {"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
            "interfaces": {
                "type": "list",
                "elements": "dict",
                "options": {"mac": {"type": "str", "required": True}, "name": {"type": "str"}},
            },
            "tags": {"type": "list", "elements": "str"},
            "annotations": {"type": "dict"},
            "locked": {"type": "bool"},
            "weak_boot_token": {"type": "bool", "no_log": False},
            **{key: {"type": "str"} for key in PLAIN if key not in ("locked", "weak_boot_token", "arch", "firmware")},
            "arch": {"type": "str", "choices": ["amd64", "arm64"]},
            "firmware": {"type": "str", "choices": ["bios", "uefi"]},
        }
    )
    with connected(module) as api:
        result = present(module, api) if module.params["state"] == "present" else absent(module, api)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
