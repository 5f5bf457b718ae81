# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell people about an allocation, or a set, that stands in line. Private to this collection."""
from __future__ import annotations

import typing as t


def in_line(held: t.Iterable[dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The allocation of these that stands in line: itself, or for the whole set."""
    return next((one for one in held if one["state"] == "waiting"), None)


def called(allocation: dict[str, t.Any]) -> str:
    """What it is: the name of the set, which stands in line as one, or its own."""
    return allocation.get("set") or allocation["name"]


def place(allocation: dict[str, t.Any]) -> str:
    """Where it stands, and until when if not for ever."""
    until = f", until {allocation['wait_until']} at the latest" if allocation.get("wait_until") else ""
    return f"{called(allocation)}: number {allocation['place']} in line{until}"


def failure(allocation: dict[str, t.Any], seconds: float | None) -> str | None:
    """Why there is no node after so many seconds; None when there is one."""
    if allocation["state"] == "waiting":
        return (
            f"{called(allocation)} is number {allocation['place']} in line after {seconds} s, and keeps its place; "
            "run again to wait on"
        )
    if allocation["state"] == "released":
        return f"{called(allocation)} got no node: {allocation['reason']}"
    return None
