# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads images."""
from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Read the operating system images that can be deployed
version_added: 0.1.0
description:
  - Returns the images that the service knows.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.attributes
  - metalpool.core.attributes.reads
  - metalpool.core.attributes.actiongroup_api
options:
  name:
    description: Only the image of this name. One that does not exist is an empty list, not an error.
    type: str
"""

EXAMPLES = r"""
- name: What can be deployed
  metalpool.core.image_info:
  register: available
"""

RETURN = r"""
images:
  description: The images.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the image.
      returned: always
      type: str
    os:
      description: Operating system.
      returned: always
      type: str
    version:
      description: Its version.
      returned: always
      type: str
    arch:
      description: Architecture.
      returned: always
      type: str
"""

from ansible_collections.metalpool.core.plugins.module_utils._module import connected, make_module


def main() -> None:
    """Run the module."""
    module = make_module({"name": {"type": "str"}})
    name = module.params["name"]
    with connected(module) as api:
        images = [image for image in api.items("/images") if name in (None, image["name"])]
        module.exit_json(changed=False, images=images)


if __name__ == "__main__":
    main()
