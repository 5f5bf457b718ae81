# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving an allocation or a set back. Private to this collection."""
from __future__ import annotations

from ansible_collections.metalpool.core.plugins.module_utils._allocation_job import Allocation, Job, Result, changes
from ansible_collections.metalpool.core.plugins.module_utils._allocation_present import find, path_of
from ansible_collections.metalpool.core.plugins.module_utils._api import segment
from ansible_collections.metalpool.core.plugins.module_utils._module import wait_for_operation


def absent(job: Job) -> Result:
    """Release what is held under the name, and wait until every node is erased."""
    held = find(job.api, job.params["name"])
    if not held:
        return {"changed": False}
    return release(job, held[0]) if held[0]["name"] == job.params["name"] else release_set(job, held)


def release(job: Job, allocation: Allocation) -> Result:
    """Release one; what stands in line leaves it."""
    result = changes(allocation["state"] != "releasing", {"state": allocation["state"]}, {"state": "released"})
    result["allocation"] = allocation
    if job.dry:
        return result
    operation = job.api.delete(path_of(allocation)).json or {}
    if operation.get("id"):
        result["operation"] = operation
        result["allocation"] = {**allocation, "state": "releasing", "operation": operation["id"]}
        if job.params["wait"]:
            result["operation"] = wait_for_operation(job.api, operation["id"], job.params["wait_timeout"])
    gone = job.api.find(path_of(allocation))
    result["allocation"] = gone or {**allocation, "state": "released", "operation": None}
    return result


def release_set(job: Job, held: list[Allocation]) -> Result:
    """Release all that is held of a set; one that stands in line leaves it."""
    before = sorted({one["state"] for one in held})
    result = changes(before != ["releasing"], {"states": before}, {"states": ["released"]})
    result["allocations"] = held
    if job.dry:
        return result
    asked = job.api.delete(f"/allocation-sets/{segment(job.params['name'])}").json or {}
    result["operations"] = asked.get("items", [])
    if job.params["wait"]:
        limit = job.params["wait_timeout"]
        result["operations"] = [wait_for_operation(job.api, one["id"], limit) for one in result["operations"]]
    return result
