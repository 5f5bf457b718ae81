# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers or removes an SSH public key."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key
short_description: Register or remove one of your SSH public keys
version_added: 0.1.0
description:
  - Keys that you registered are put on your nodes when an allocation names none.
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
    support: full
options:
  name:
    description: Name of the key among yours, such as V(laptop).
    type: str
    required: true
  state:
    description: Whether the key is registered.
    type: str
    choices: [present, absent]
    default: present
  key:
    description: The public key. One of this and O(key_file) is needed with O(state=present).
    type: str
  key_file:
    description: File with the public key, on the host that runs the module, which is mostly V(localhost).
    type: path
"""

EXAMPLES = r"""
- name: Register my key
  metalpool.core.ssh_key:
    name: laptop
    key_file: ~/.ssh/id_ed25519.pub
"""

RETURN = r"""
ssh_key:
  description: The key as it is now; as it would be, in check mode; as it was, when it was removed.
  returned: success, except for a key that was absent already
  type: dict
  contains:
    name:
      description: Name of the key.
      returned: always
      type: str
    key:
      description: The public key.
      returned: always
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module
from ansible_collections.metalpool.core.plugins.module_utils._ssh_keys import KeyFileError, read_keys


def the_key(params: dict[str, t.Any]) -> str:
    """The one key that was given.

    :raises KeyFileError: the file does not have exactly one
    """
    if params["key"]:
        return params["key"].strip()
    keys = read_keys(params["key_file"])
    if len(keys) > 1:
        raise KeyFileError(f"{params['key_file']} has {len(keys)} keys; register one at a time, with key")
    return keys[0]


def present(module: AnsibleModule, api: Api, current: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Register the key; another one under the same name gives way to it."""
    wanted = {"name": module.params["name"], "key": the_key(module.params)}
    if current and same(current["key"], wanted["key"]):
        return {"changed": False, "ssh_key": current, "diff": {"before": {}, "after": {}}}
    before = {"name": current["name"], "key": current["key"]} if current else {}
    result = {"changed": True, "ssh_key": wanted, "diff": {"before": before, "after": wanted}}
    if not module.check_mode:
        result["ssh_key"] = api.post("/ssh-keys", wanted).json
    return result


def same(one: str, other: str) -> bool:
    """Whether two keys are the same, whatever their comments."""
    return one.split()[:2] == other.split()[:2]


def absent(module: AnsibleModule, api: Api, current: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Remove the key."""
    if current is None:
        return {"changed": False}
    if not module.check_mode:
        api.delete(f"/ssh-keys/{segment(current['name'])}")
    before = {"name": current["name"], "key": current["key"]}
    return {"changed": True, "ssh_key": current, "diff": {"before": before, "after": {}}}


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "key": {"type": "str", "no_log": False},
            "key_file": {"type": "path", "no_log": False},
        },
        mutually_exclusive=[("key", "key_file")],
        required_if=[("state", "present", ("key", "key_file"), True)],
    )
    with connected(module) as api:
        try:
            current = next((key for key in api.items("/ssh-keys") if key["name"] == module.params["name"]), None)
            result = (present if module.params["state"] == "present" else absent)(module, api, current)
        except KeyFileError as exc:
            module.fail_json(msg=str(exc))
        module.exit_json(**result)


if __name__ == "__main__":
    main()
