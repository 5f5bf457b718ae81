# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the module allocation: what it was given, and how it ends. Private to this collection."""
from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.metalpool.core.plugins.module_utils._api import Api

Params = dict[str, t.Any]
Allocation = dict[str, t.Any]
Result = dict[str, t.Any]


class Failed(Exception):
    """The run ends without what was asked for.

    :param result: what the module returns beside the message
    """

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True)
class Job:
    """What the module was given.

    :param dry: check mode: tell what would be done, and do nothing
    """

    api: Api
    params: Params
    dry: bool
    warn: t.Callable[[str], None]


def changes(changed: bool, before: dict[str, t.Any], after: dict[str, t.Any]) -> Result:
    """What a result says of changes; nothing when there is none."""
    return {"changed": changed, "diff": {"before": before if changed else {}, "after": after if changed else {}}}


def both(first: Result, second: Result) -> Result:
    """Two changes of the same thing as one; the second knows what it is now."""
    diff = {side: {**first["diff"][side], **second["diff"][side]} for side in ("before", "after")}
    return {**first, **second, "changed": first["changed"] or second["changed"], "diff": diff}
