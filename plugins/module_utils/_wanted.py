# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks of a node, passed on to the service in the user's own words. Private to this collection."""
from __future__ import annotations

import typing as t

CONSTRAINTS = (
    "node", "not_node", "arch", "not_arch", "cpus", "cpu_speed", "mem", "tags", "tag", "not_tags", "not_tag", "zone", "not_zone",
    "pool", "not_pool", "fabric", "not_fabric", "vlan", "not_vlan", "subnet", "not_subnet", "space", "link_speed", "power",
    "firmware", "tpm", "numa", "gpus", "disks", "interfaces", "devices", "where",
)  # fmt: skip
BESIDES = ("prefer", "not_with", "spread")
"""What is asked for besides constraints: it ranks, or says how nodes stand to one another."""

WANTED_SPEC: dict[str, dict[str, t.Any]] = {
    **{key: {"type": "raw"} for key in CONSTRAINTS + BESIDES},
    "constraints": {"type": "dict", "default": {}},
}


def wanted(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The part of a request that says what the node must have or be."""
    asked = {**params["constraints"], **{key: params[key] for key in CONSTRAINTS if is_said(params[key])}}
    constraints = {key: value for key, value in asked.items() if is_said(value)}
    return {"constraints": constraints, **{key: params[key] for key in BESIDES if is_said(params[key])}}


def is_said(value: t.Any) -> bool:
    """Whether an option was given; an empty one is what a variable becomes that was left out."""
    return value is not None and value not in ("", [], {})
