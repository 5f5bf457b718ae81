# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers or removes an image."""
from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Register or remove an operating system image
version_added: 0.1.0
description:
  - Tells the service of an image that can be deployed, or that it no longer can.
  - The file itself is made and served elsewhere, by the role C(metalpool.core.os_image) for instance.
  - An image that exists is replaced when one of the given options differs. Nodes that have it keep it.
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
    description: Name of the image, such as V(debian-13).
    type: str
    required: true
  state:
    description: Whether the image can be deployed.
    type: str
    choices: [present, absent]
    default: present
  os:
    description: Operating system, such as V(debian). Needed for a new image.
    type: str
  version:
    description: Its version, such as V(13). Needed for a new image.
    type: str
  arch:
    description: Architecture, such as V(amd64). Needed for a new image.
    type: str
  path:
    description:
      - Where nodes get the file, as a path on the rack that begins with C(/images/), or as an absolute C(http) URL.
      - Needed for a new image. It is the API's field C(url).
    type: str
  format:
    description: Format of the file.
    type: str
    choices: [raw.zst]
  sha256:
    description: SHA-256 of the compressed file. Needed for a new image.
    type: str
  size_bytes:
    description: Size of the compressed file. Needed for a new image.
    type: int
  disk_bytes:
    description: Size on the disk, uncompressed. Needed for a new image.
    type: int
  default_user:
    description: User that the image makes when none is asked for.
    type: str
  boot:
    description: What kinds of firmware the image boots with.
    type: list
    elements: str
    choices: [bios, uefi]
"""

EXAMPLES = r"""
- name: Offer Debian 13
  metalpool.core.image:
    name: debian-13
    os: debian
    version: "13"
    arch: amd64
    path: /images/debian-13-amd64.raw.zst
    format: raw.zst
    sha256: "{{ built.sha256 }}"
    size_bytes: "{{ built.size_bytes }}"
    disk_bytes: "{{ built.disk_bytes }}"
    default_user: debian
    boot: [bios, uefi]
"""

RETURN = r"""
image:
  description: The image as it is registered now; as it would be, in check mode; as it was, when it was removed.
  returned: success, except for an image that was absent already
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

FIELDS = ("os", "version", "arch", "url", "format", "sha256", "size_bytes", "disk_bytes", "default_user", "boot")


def find(api: Api, name: str) -> dict[str, t.Any] | None:
    """The image of this name."""
    return next((image for image in api.items("/images") if image["name"] == name), None)


def present(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Register the image, or replace it when it differs."""
    wanted = {key: module.params["path" if key == "url" else key] for key in FIELDS}
    wanted = {key: value for key, value in wanted.items() if value is not None}
    image = find(api, module.params["name"])
    changes = wanted if image is None else differences(image, wanted)
    whole = {**{key: (image or {}).get(key) for key in FIELDS}, **wanted, "name": module.params["name"]}
    whole = {key: value for key, value in whole.items() if value is not None}
    result = {
        "changed": image is None or bool(changes),
        "image": whole,
        "diff": diff_of(image or {}, changes) if image else {"before": {}, "after": whole},
    }
    if result["changed"] and not module.check_mode:
        result["image"] = api.post("/images", whole).json
    return result


def absent(module: AnsibleModule, api: Api) -> dict[str, t.Any]:
    """Remove the image."""
    image = find(api, module.params["name"])
    if image is None:
        return {"changed": False}
    if not module.check_mode:
        api.delete(f"/images/{segment(image['name'])}")
    return {"changed": True, "image": image, "diff": {"before": {"name": image["name"]}, "after": {}}}


def main() -> None:
    """Run the module."""
    module = make_module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "os": {"type": "str"},
            "version": {"type": "str"},
            "arch": {"type": "str"},
            "path": {"type": "str"},
            "format": {"type": "str", "choices": ["raw.zst"]},
            "sha256": {"type": "str"},
            "size_bytes": {"type": "int"},
            "disk_bytes": {"type": "int"},
            "default_user": {"type": "str"},
            "boot": {"type": "list", "elements": "str", "choices": ["bios", "uefi"]},
        }
    )
    with connected(module) as api:
        result = present(module, api) if module.params["state"] == "present" else absent(module, api)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
