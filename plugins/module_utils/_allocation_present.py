# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing an allocation to what was asked for. Private to this collection."""
from __future__ import annotations

import datetime
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._allocation_create import create
from ansible_collections.metalpool.core.plugins.module_utils._allocation_job import (
    Allocation,
    Failed,
    Job,
    Result,
    both,
    changes,
)
from ansible_collections.metalpool.core.plugins.module_utils._allocation_request import (
    OF_SETS,
    default_image,
    deployment,
    end,
    post_with_keys,
    written,
)
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._line import called, failure, in_line
from ansible_collections.metalpool.core.plugins.module_utils._module import wait_for_operation
from ansible_collections.metalpool.core.plugins.module_utils._polling import last, line_versions

DEPLOYABLE = ("allocated", "failed")


def path_of(allocation: Allocation) -> str:
    """Where the API has it."""
    return f"/allocations/{segment(allocation['name'])}"


def find(api: Api, name: str | None) -> list[Allocation]:
    """What is held under this name: an allocation, or all of a set."""
    if not name:
        return []
    one = api.find(f"/allocations/{segment(name)}")
    if one is not None and one["state"] != "released":
        return [one]
    several = api.find(f"/allocation-sets/{segment(name)}")
    return several["items"] if several else []


def present(job: Job) -> Result:
    """Make sure that there is an allocation, or a set, that is deployed when asked for."""
    held = find(job.api, job.params["name"])
    if held:
        _need_the_same_kind(job, held)
        results = [settle(job, one) for one in held]
        result = results[0]
        for other in results[1:]:
            result = both(result, {**other, "diff": _of_several(result, other)})
        held = [one["allocation"] for one in results]
    else:
        result, held = create(job)
    if held and not job.dry:
        held = wait_in_line(job, held)
    return {**result, **shown([follow(job, one) for one in held])} if held else result


def _need_the_same_kind(job: Job, held: list[Allocation]) -> None:
    name, is_set = job.params["name"], held[0]["name"] != job.params["name"]
    if is_set:
        if job.params["count"] is not None and in_line(held) is None and len(held) > job.params["count"]:
            job.warn(f"the set {name} has {len(held)} nodes, not count={job.params['count']}; it stays as it is")
        return
    said = [key for key in OF_SETS if job.params[key] is not None]
    if said:
        raise Failed(
            f"{name} is the name of an allocation of one node that you hold, and {', '.join(said)} is for a set: "
            "choose another name for the set",
            allocation=held[0],
        )


def _of_several(result: Result, other: Result) -> dict[str, dict[str, t.Any]]:
    """The diff of one more of a set; what changes in the same way is said once."""
    return {side: other["diff"][side] or result["diff"][side] for side in ("before", "after")}


def shown(results: list[Result]) -> Result:
    """Allocations as the module returns them: one, and of a set all."""
    held = [one["allocation"] for one in results]
    found: Result = {"allocation": held[0]}
    if held[0].get("set"):
        found["allocations"] = held
    if "operation" in results[0]:
        found["operation"] = results[0]["operation"]
    return found


def settle(job: Job, allocation: Allocation) -> Result:
    """Bring an allocation that is there to what was asked for."""
    if allocation["state"] == "releasing":
        raise Failed(
            f"the allocation {allocation['name']} is being released; wait until it is gone, or take another name",
            allocation=allocation,
        )
    result = extend(job, allocation) if job.params["extend"] else {**changes(False, {}, {}), "allocation": allocation}
    result = both(result, annotate(job, result["allocation"]))
    again = job.params["redeploy"] and allocation["state"] == "active"
    if job.params["deploy"] and (again or allocation["state"] in DEPLOYABLE):
        return both(result, deploy(job, result["allocation"]))
    keep(job, allocation)
    return result


def deploy(job: Job, allocation: Allocation) -> Result:
    """Deploy an allocation that is there: for the first time, after a failure, or again."""
    asked = deployment(job.params)
    if not asked.get("image") and not allocation["image"]:
        asked["image"] = default_image(job.api.items("/images"), job.params["arch"])
    before = allocation["state"]
    if not job.dry:
        post_with_keys(job.api, f"{path_of(allocation)}/deploy", asked)
        allocation = job.api.get(path_of(allocation)).json
    return {**changes(True, {"state": before}, {"state": "active"}), "allocation": allocation}


def annotate(job: Job, allocation: Allocation) -> Result:
    """Write note and annotations beside an allocation that is there, where they differ."""
    before = {key: allocation.get(key) for key in ("note", "annotations")}
    after = written(allocation, job.params)
    result = changes(after != before, before, after)
    if result["changed"]:
        allocation = {**allocation, **after}
        if not job.dry:
            gone = dict.fromkeys(before["annotations"] or {})
            asked = {"note": after["note"], "annotations": {**gone, **after["annotations"]}}
            allocation = job.api.patch(path_of(allocation), asked).json
    return {**result, "allocation": allocation}


def keep(job: Job, allocation: Allocation) -> None:
    """Say where an allocation that is left as it is, is not what was asked for."""
    for key in ("image", "node"):
        if job.params[key] and allocation.get(key) and job.params[key] != allocation[key]:
            job.warn(
                f"the allocation {allocation['name']} has {key}={allocation[key]}, not {job.params[key]}; "
                "it stays as it is. Release it, or for another image set redeploy: true."
            )


def extend(job: Job, allocation: Allocation) -> Result:
    """Let an allocation end later; a dry run is refused as well what the pool does not allow."""
    asked = end(job.params)
    before = allocation["expires_at"]
    if before and _same_moment(asked.get("until"), before):
        return {**changes(False, {}, {}), "allocation": allocation}
    allocation = job.api.post(f"{path_of(allocation)}/extend", {**asked, "dry_run": job.dry}).json
    return {**changes(True, {"expires_at": before}, {"expires_at": allocation["expires_at"]}), "allocation": allocation}


def _same_moment(text: str | None, other: str) -> bool:
    try:
        return bool(text) and datetime.datetime.fromisoformat(text.strip()) == datetime.datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False  # the service says what is wrong with it


def wait_in_line(job: Job, held: list[Allocation]) -> list[Allocation]:
    """Wait until what stands in line has its node, or all of its nodes."""
    waiting = in_line(held)
    if waiting is None or not job.params["wait"]:
        return held
    ended = last(line_versions(job.api, waiting, job.params["wait_timeout"]))
    why = failure(ended, job.params["wait_timeout"])
    if why:
        raise Failed(why, allocation=ended)
    return find(job.api, called(ended)) or [ended]


def follow(job: Job, allocation: Allocation) -> Result:
    """Wait for the operation under way, and read the allocation again after it."""
    operation = allocation.get("operation") if allocation.get("state") == "deploying" else None
    if not operation:
        return {"allocation": allocation}
    if not job.params["wait"] or job.dry:
        return {"allocation": allocation, "operation": job.api.find(f"/operations/{segment(operation)}")}
    ended = wait_for_operation(job.api, operation, job.params["wait_timeout"])
    return {"allocation": job.api.find(path_of(allocation)) or allocation, "operation": ended}
