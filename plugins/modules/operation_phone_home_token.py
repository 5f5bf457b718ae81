# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_phone_home_token
short_description: Get the address at which a claimed operation's node phones home
version_added: 0.1.0
description:
  - Makes a token with which the installed system can report itself once.
  - The result is kept out of the output, as if O(ignore:no_log) was set.
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - metalpool.core.api
  - metalpool.core.api.claim
  - metalpool.core.attributes
  - metalpool.core.attributes.reports
  - metalpool.core.attributes.actiongroup_api
attributes:
  idempotent:
    support: none
    details: [Each call makes another token.]
"""

EXAMPLES = r"""
- name: Get the address to phone home to
  metalpool.core.operation_phone_home_token:
  register: phone_home
"""

RETURN = r"""
url_path:
  description: Path of the URL on the rack, such as V(/boot/phone-home/...). A secret.
  returned: success
  type: str
"""
