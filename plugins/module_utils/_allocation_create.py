# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acquiring a node, or a set of them, that is not held yet. Private to this collection."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._allocation_job import Allocation, Job, Result, changes
from ansible_collections.metalpool.core.plugins.module_utils._allocation_request import post_with_keys, public, request

_NOT_PLANNED = ("hostname", "note", "annotations", "wait_timeout")


def create(job: Job) -> tuple[Result, list[Allocation]]:
    """Acquire, and start what deploys it; the result, and what there is now. A dry run says what there would be."""
    asked = request(job.params, job.api)
    if job.dry:
        return plan(job, asked), []
    answer = post_with_keys(job.api, "/allocation-sets" if "count" in asked else "/allocations", asked)
    made = answer.json["items"] if "count" in asked else [answer.json]
    return changes(answer.status in (201, 202), {}, public(asked)), made


def plan(job: Job, asked: dict[str, t.Any]) -> Result:
    """What would be acquired at this moment; the service refuses what it would refuse."""
    wish = {"credentials": {}, **{key: value for key, value in asked.items() if key not in _NOT_PLANNED}}
    answer = post_with_keys(job.api, "/allocation-plans", wish).json
    result = changes(True, {}, public(asked))
    nodes = [one["node"] for one in answer["candidates"]]
    result["candidates"] = answer["candidates"]
    result["would_wait"] = answer["would_wait"]
    result["allocation"] = {**public(asked), "node": nodes[0] if nodes else None}
    if "count" in asked:
        result["allocations"] = [{**public(asked), "node": node} for node in nodes]
    return result
