# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the actions that wait for something and show how it goes. Private to this collection."""
from __future__ import annotations

import time
import typing as t

from ansible_collections.metalpool.core.plugins.plugin_utils._operation_action import OperationAction


class WaitAction(OperationAction):
    """Follows one thing by long polls; a subclass says what it is, what is new in it, and what the task returns."""

    _supports_check_mode = True  # it only reads

    def versions(self) -> t.Iterator[dict[str, t.Any]]:
        """The thing as it is, and again whenever it may have changed, until it is over or the time is."""
        raise NotImplementedError

    def lines(self, thing: dict[str, t.Any]) -> t.Iterator[str]:
        """What to show of this version."""
        raise NotImplementedError

    def outcome(self, thing: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the task returns of the last version."""
        raise NotImplementedError

    def perform(self) -> dict[str, t.Any]:
        """Follow it to its end, or for as long as the task may look."""
        started = time.monotonic()
        thing: dict[str, t.Any] = {}
        for thing in self.versions():
            for line in self.lines(thing):
                if self.params["progress"]:
                    self.say(line)
        return {**self.outcome(thing), "seconds": round(time.monotonic() - started, 1)}
