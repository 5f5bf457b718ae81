# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits in line until an allocation has its node, and shows its place."""
from __future__ import annotations

import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._api import segment
from ansible_collections.metalpool.core.plugins.module_utils._line import called, failure, in_line, place
from ansible_collections.metalpool.core.plugins.module_utils._polling import line_versions
from ansible_collections.metalpool.core.plugins.plugin_utils._wait_action import WaitAction


class ActionModule(WaitAction):
    """GET /allocations/{name}, as a long poll; for a set, of the allocation that stands in line for it."""

    options: t.ClassVar = {
        "name": {"type": "str"},
        "set": {"type": "str"},
        "wait_timeout": {"type": "int"},
        "progress": {"type": "bool", "default": True},
    }
    spec_rules: t.ClassVar = {"required_one_of": [("name", "set")], "mutually_exclusive": [("name", "set")]}
    _shown: int | None = None

    def versions(self) -> t.Iterator[dict[str, t.Any]]:
        """The allocation until it is in line no longer."""
        if self.params["set"]:
            held = self._set()
            first = in_line(held) or held[0]
        else:
            first = self.api.get(f"/allocations/{segment(self.params['name'])}").json
        return line_versions(self.api, first, self.params["wait_timeout"])

    def lines(self, thing: dict[str, t.Any]) -> t.Iterator[str]:
        """Its place whenever that is another one, and what it got."""
        if thing["place"] not in (None, self._shown):
            self._shown = thing["place"]
            yield place(thing)
        elif self._shown is not None and thing["node"]:
            got = self._set() if thing["set"] else [thing]
            nodes = ", ".join(one["node"] for one in got)
            yield f"{called(thing)}: has {'node' if len(got) == 1 else 'nodes'} {nodes}"

    def outcome(self, thing: dict[str, t.Any]) -> dict[str, t.Any]:
        """What is held now; why there is nothing as the task's message."""
        why = failure(thing, self.params["wait_timeout"])
        if why:
            return {"allocation": thing, "allocations": [thing], "failed": True, "msg": why}
        return {"allocation": thing, "allocations": self._set() if self.params["set"] else [thing]}

    def _set(self) -> list[dict[str, t.Any]]:
        return self.api.get(f"/allocation-sets/{segment(self.params['set'])}").json["items"]
