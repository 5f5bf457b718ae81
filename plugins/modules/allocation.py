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
    details: [Says which node would be taken, if it were acquired at that moment.]
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: [Needs O(name). O(redeploy=true) deploys at every run.]
  action_group:
    support: full
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
      - A set does not stand in line; O(queue) means nothing for it.
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
      - Whether to stand in line when nothing is free but something could be, or when the quota is used up.
      - With O(wait=true) the task then waits for its node first, and for the deploy after that. A module cannot show its place
        in line; use O(wait=false) and M(metalpool.core.allocation_wait) to see it.
    type: bool
    default: false
  queue_timeout:
    description: How long to stand in line at most, such as V(2h). Not given, for as long as it takes.
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
  description: All allocations of the set.
  returned: with O(count), and when a set was released
  type: list
  elements: dict
candidates:
  description:
    - Nodes that would be taken, best first, with C(node), C(zone), C(pool), C(cost), C(cost_parts), C(preferences), C(root_disk),
      C(last_used_at).
  returned: in check mode, when an allocation would be made
  type: list
  elements: dict
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

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Answer, Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError
from ansible_collections.metalpool.core.plugins.module_utils._line import poll_line
from ansible_collections.metalpool.core.plugins.module_utils._module import (
    WAIT_SPEC,
    connected,
    make_module,
    wait_for_operation,
)
from ansible_collections.metalpool.core.plugins.module_utils._ssh_keys import KeyFileError, default_keys, read_keys
from ansible_collections.metalpool.core.plugins.module_utils._wanted import WANTED_SPEC, wanted

DEPLOYABLE = ("allocated", "failed")
LEASE = ("lease", "until")
_NOT_PLANNED = ("name", "hostname", "note", "annotations", "wait", "wait_timeout")


def find(api: Api, name: str | None) -> dict[str, t.Any] | None:
    """The allocation that is held under this name."""
    found = api.find(f"/allocations/{segment(name)}") if name else None
    return None if found is None or found["state"] == "released" else found


def credentials(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Who may log in, as far as it was said.

    :raises KeyFileError: a file has no public key
    """
    keys = [key.strip() for key in params["ssh_keys"]]
    for path in params["ssh_key_files"]:
        keys.extend(read_keys(path))
    given: dict[str, t.Any] = {key: params[key] for key in ("user", "password_hash", "user_data") if params[key]}
    if keys:
        given["ssh_keys"] = list(dict.fromkeys(keys))
    if params["extra_users"]:
        given["extra_users"] = [
            {key: value for key, value in user.items() if value is not None} for user in params["extra_users"]
        ]
    return given


class NoImage(Exception):
    """No image was named and there is not one that is meant for sure; the text lists what there is."""


def default_image(images: t.Iterable[dict[str, t.Any]], arch: t.Any) -> str:
    """The image of the highest version, when all that are for the architecture are of one operating system.

    :raises NoImage: there are several operating systems, or no image at all
    """
    named = arch.replace(" ", "").split(",") if isinstance(arch, str) else arch
    fitting = [image for image in images if not arch or image["arch"] in named]
    if len({(image["os"], image["arch"]) for image in fitting}) != 1:
        names = ", ".join(sorted(image["name"] for image in fitting)) or "none; register one with metalpool.core.image"
        raise NoImage(f"image is not given, and it is not clear which one is meant; allowed: {names}")
    return max(fitting, key=lambda image: (version_key(image["version"]), image["name"]))["name"]


def version_key(version: str) -> list[tuple[int, str]]:
    """A key that sorts 9 before 12 and 22.04 before 22.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.\-_ ]", version)]


def deployment(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a deploy needs to know, as far as it was said; the service keeps the rest as it was."""
    asked = {key: params[key] for key in ("image", "hostname", "root_disk") if params[key]}
    who = credentials(params)
    return {**asked, "credentials": who} if who else asked


def post_with_keys(api: Api, path: str, asked: dict[str, t.Any]) -> Answer:
    """POST, and when the service says that nobody could log in, again with the keys in ~/.ssh."""
    try:
        return api.post(path, asked)
    except ApiError as exc:
        keys = default_keys() if exc.problem.get("field") == "credentials.ssh_keys" and "value" in exc.problem else []
        if not keys or exc.problem["value"]:
            raise
    who = {**asked.get("credentials", {}), "ssh_keys": keys}
    return api.post(path, {**asked, "credentials": who})


def request(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """What the service is asked for."""
    params = module.params
    asked = {**wanted(params), "deploy": params["deploy"], **deployment(params)}
    of_all = ("name", "count", "min_count", "same", "note", "addresses", *LEASE)
    asked.update({key: params[key] for key in of_all if params[key]})
    if any(value is not None for value in params["annotations"].values()):
        asked["annotations"] = written({}, params)["annotations"]
    if params["queue"] and not params["count"]:
        asked["wait"] = True
        if params["queue_timeout"]:
            asked["wait_timeout"] = params["queue_timeout"]
    if params["deploy"] and not params["image"]:
        asked["image"] = default_image(api.items("/images"), params["arch"])
    return asked


def create(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Acquire a node, or a set of them, and start what deploys them."""
    asked = request(module, api)
    public = {key: value for key, value in asked.items() if key != "credentials"}
    result: dict[str, t.Any] = {"changed": True, "diff": {"before": {}, "after": public}}
    if module.check_mode:
        plan = {key: value for key, value in public.items() if key not in _NOT_PLANNED}
        candidates = api.post("/allocation-plans", plan).json["candidates"]
        return {**result, "allocation": {**public, "node": candidates[0]["node"]}, "candidates": candidates}
    answer = post_with_keys(api, "/allocation-sets" if "count" in asked else "/allocations", asked)
    items = answer.json["items"] if "count" in asked else [answer.json]
    of_a_set = {"allocations": items} if "count" in asked else {}
    return {**result, "changed": answer.status in (201, 202), "allocation": items[0], **of_a_set}


def deploy(module: AnsibleModule, api: Api, allocation: dict[str, t.Any]) -> dict[str, t.Any]:
    """Deploy an allocation that is there: for the first time, after a failure, or again."""
    asked = deployment(module.params)
    if not asked.get("image") and not allocation["image"]:
        asked["image"] = default_image(api.items("/images"), module.params["arch"])
    diff = {"before": {"state": allocation["state"]}, "after": {"state": "active"}}
    if not module.check_mode:
        path = f"/allocations/{segment(allocation['name'])}"
        post_with_keys(api, f"{path}/deploy", asked)
        allocation = api.get(path).json
    return {"changed": True, "allocation": allocation, "diff": diff}


def written(allocation: dict[str, t.Any], params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Note and annotations as they shall be."""
    after = {**allocation.get("annotations", {}), **params["annotations"]}
    note = params["note"] if params["note"] is not None else allocation.get("note")
    return {"note": note, "annotations": {key: str(value) for key, value in after.items() if value is not None}}


def annotate(module: AnsibleModule, api: Api, allocation: dict[str, t.Any]) -> dict[str, t.Any]:
    """Write note and annotations beside an allocation that is there, where they differ."""
    before = {key: allocation.get(key) for key in ("note", "annotations")}
    after = written(allocation, module.params)
    if after == before:
        return {"changed": False, "allocation": allocation, "diff": {"before": {}, "after": {}}}
    allocation = {**allocation, **after}
    if not module.check_mode:
        gone = dict.fromkeys(before["annotations"] or {})
        asked = {"note": after["note"], "annotations": {**gone, **after["annotations"]}}
        allocation = api.patch(f"/allocations/{segment(allocation['name'])}", asked).json
    return {"changed": True, "allocation": allocation, "diff": {"before": before, "after": after}}


def keep(module: AnsibleModule, allocation: dict[str, t.Any]) -> None:
    """Say where an allocation that is left as it is, is not what was asked for."""
    for key in ("image", "node"):
        if module.params[key] and allocation.get(key) and module.params[key] != allocation[key]:
            module.warn(
                f"the allocation {allocation['name']} has {key}={allocation[key]}, not {module.params[key]}; "
                "it stays as it is. Release it, or for another image set redeploy: true."
            )


def extend(module: AnsibleModule, api: Api, allocation: dict[str, t.Any]) -> dict[str, t.Any]:
    """Let an allocation end later."""
    asked = {key: module.params[key] for key in LEASE if module.params[key]}
    before = allocation["expires_at"]
    diff = {"before": {"expires_at": before}, "after": asked}
    if asked.get("until") and asked["until"] == before:
        return {"changed": False, "allocation": allocation, "diff": {"before": {}, "after": {}}}
    if not module.check_mode:
        allocation = api.post(f"/allocations/{segment(allocation['name'])}/extend", asked).json
    return {"changed": True, "allocation": allocation, "diff": diff}


def also(result: dict[str, t.Any], other: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Two changes of one allocation as one; the first has it as it is now."""
    if other is None:
        return result
    diff = {side: {**other["diff"][side], **result["diff"][side]} for side in ("before", "after")}
    return {**result, "changed": result["changed"] or other["changed"], "diff": diff}


def wait_in_line(module: AnsibleModule, api: Api, result: dict[str, t.Any]) -> None:
    """Wait until an allocation that stands in line has its node."""
    if result["allocation"].get("state") != "waiting" or not module.params["wait"] or module.check_mode:
        return
    for allocation in poll_line(api, result["allocation"], module.params["wait_timeout"]):
        result["allocation"] = allocation
    if allocation["state"] == "waiting":
        module.fail_json(
            msg=f"{allocation['name']} is number {allocation['place']} in line after {module.params['wait_timeout']} s, "
            "and keeps its place; run again to wait on",
            allocation=allocation,
        )
    if allocation["state"] == "released":
        module.fail_json(msg=f"{allocation['name']} got no node: {allocation['reason']}", allocation=allocation)


def present(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Make sure that there is an allocation, deployed when asked for; or a set of them."""
    if module.params["count"]:
        return present_set(module, api)
    allocation = find(api, module.params["name"])
    extended = None
    if allocation is not None and module.params["extend"]:
        extended = extend(module, api, allocation)
        allocation = extended["allocation"]
    result = create(module, api) if allocation is None else settle(module, api, allocation, extended)
    wait_in_line(module, api, result)
    return follow(module, api, result)


def present_set(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Make sure that there is a set of allocations; those that are not deployed, though asked for, are deployed."""
    name = module.params["name"]
    held = api.find(f"/allocation-sets/{segment(name)}") if name else None
    if held is None:
        result = create(module, api)
        results = [{"allocation": one} for one in result.get("allocations", [])]
    else:
        results = [settle(module, api, one) for one in held["items"]]
        result = {"changed": any(one["changed"] for one in results), "diff": {"before": {}, "after": {}}}
    if results:
        result["allocations"] = [follow(module, api, one)["allocation"] for one in results]
        result["allocation"] = result["allocations"][0]
    return result


def settle(
    module: AnsibleModule, api: Api, allocation: dict[str, t.Any], done: dict[str, t.Any] | None = None
) -> dict[str, t.Any]:
    """Bring an allocation that is there to what was asked for.

    :param done: the result of what was done to it already
    """
    if allocation["state"] == "releasing":
        module.fail_json(
            msg=f"the allocation {allocation['name']} is being released; wait until it is gone, or take another name",
            allocation=allocation,
        )
    if module.params["deploy"] and (
        allocation["state"] in DEPLOYABLE or (allocation["state"] == "active" and module.params["redeploy"])
    ):
        noted = annotate(module, api, allocation)
        return deploy(module, api, noted["allocation"])
    if not done:
        keep(module, allocation)
    return also(annotate(module, api, allocation), done)


def follow(module: AnsibleModule, api: Api, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """Wait for the operation under way, and read the allocation again after it."""
    deploying = result["allocation"].get("state") == "deploying"
    operation = result["allocation"].get("operation") if deploying else None
    if operation and module.params["wait"] and not module.check_mode:
        result["operation"] = wait_for_operation(api, operation, module.params["wait_timeout"])
        result["allocation"] = api.find(f"/allocations/{segment(result['allocation']['name'])}") or result["allocation"]
    elif operation:
        result["operation"] = api.find(f"/operations/{segment(operation)}")
    return result


def absent(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Release the allocation, and wait until its node is erased."""
    allocation = find(api, module.params["name"])
    if allocation is None:
        return absent_set(module, api)
    changed = allocation["state"] != "releasing"
    diff = {"before": {"state": allocation["state"]}, "after": {"state": "released"} if changed else {}}
    result: dict[str, t.Any] = {"changed": changed, "allocation": allocation, "diff": diff}
    if not module.check_mode:
        operation = api.delete(f"/allocations/{segment(allocation['name'])}").json or {}
        if operation.get("id"):
            result["operation"] = operation
            result["allocation"] = {**allocation, "state": "releasing", "operation": operation["id"]}
            if module.params["wait"]:
                result["operation"] = wait_for_operation(api, operation["id"], module.params["wait_timeout"])
        gone = api.find(f"/allocations/{segment(allocation['name'])}")
        result["allocation"] = gone or {**allocation, "state": "released", "operation": None}
    return result


def absent_set(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Release all that is held of a set, and wait until every node is erased."""
    path = f"/allocation-sets/{segment(module.params['name'])}"
    held = api.find(path)
    if held is None:
        return {"changed": False}
    before = sorted({one["state"] for one in held["items"]})
    changed = before != ["releasing"]
    diff = {"before": {"states": before}, "after": {"states": ["released"]} if changed else {}}
    result: dict[str, t.Any] = {"changed": changed, "allocations": held["items"], "diff": diff}
    if not module.check_mode:
        result["operations"] = (api.delete(path).json or {}).get("items", [])
        if module.params["wait"]:
            limit = module.params["wait_timeout"]
            result["operations"] = [wait_for_operation(api, one["id"], limit) for one in result["operations"]]
    return result


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
    with connected(module) as api:
        try:
            result = present(module, api) if module.params["state"] == "present" else absent(module, api)
        except (KeyFileError, NoImage) as exc:
            module.fail_json(msg=str(exc))
        module.exit_json(**result)


if __name__ == "__main__":
    main()
