# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chassis power: read, control, and confirm by reading back (IPMI 2.0, sections 28.2 and 28.3)."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.metalpool.core.plugins.module_utils._bmc import BmcOptions, bmc_session
from ansible_collections.metalpool.core.plugins.module_utils._bmc_deadline import Deadline
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    BmcCommandError,
    BmcError,
    BmcTimeout,
    BmcUnconfirmed,
    BmcUnreachable,
)

CONTROLS = {"off": 0, "on": 1, "reset": 3, "soft_off": 5}
POLL_SECONDS = 0.5
SESSION_SECONDS = 10.0
"""Longest time to hold the BMC while waiting for a state: others get their turn in between."""
OFF_SECONDS = 1.0
"""How long a power cycle keeps the machine off, as the specification asks of a BMC."""


def read_power(bmc) -> str:
    """``on`` or ``off`` (Get Chassis Status)."""
    return "on" if bmc.raw(0x00, 0x01, what="report the power state")[0] & 1 else "off"


def control_power(bmc, action: str) -> None:
    """Send one Chassis Control; never repeated, since a second reset is not the same as one."""
    try:
        bmc.raw(0x00, 0x02, bytes([CONTROLS[action]]), what=f"switch power: {action}", repeatable=False)
    except BmcCommandError as error:
        if error.code == 0xD5:
            raise BmcCommandError(
                f"switch power: {action}",
                0,
                2,
                error.code,
                "The chassis does not allow it now: look for an interlock, a power fault or a firmware update, "
                "and read the event log",
            ) from error
        raise


def wait_for_power(options: BmcOptions, wanted: str, seconds: float, held_for: float = 0.0, note: str = "") -> float:
    """Read the power state until it is the wanted one; returns the seconds that it took.

    A BMC may drop sessions while power changes, so a failed reading counts as none.

    :param held_for: the state must have lasted so many seconds.
    :raises BmcUnconfirmed: when it is not reached in time.
    """
    deadline = Deadline(seconds)
    since = None
    seen = "unknown"
    last_error: BmcError | None = None
    while True:
        try:
            with bmc_session(options) as bmc:
                turn = Deadline(min(SESSION_SECONDS, max(1.0, options.timeout - 2.0)))
                while not turn.passed():
                    seen = read_power(bmc)
                    now = time.monotonic()
                    since = (since or now) if seen == wanted else None
                    if since is not None and now - since >= held_for:
                        return deadline.spent()
                    if deadline.passed():
                        break
                    time.sleep(min(POLL_SECONDS, held_for or POLL_SECONDS, max(0.05, deadline.left())))
        except (BmcUnreachable, BmcTimeout) as error:
            last_error = error
        if deadline.passed():
            because = f" Last error: {last_error}." if last_error and seen == "unknown" else ""
            raise BmcUnconfirmed(
                f"the machine behind the BMC at {options.where} is still {seen} and not {wanted} after {seconds:g} s."
                f"{because} {note}".rstrip()
            )


def run_in_session(options: BmcOptions, work: Callable):
    """One conversation for one piece of work."""
    with bmc_session(options) as bmc:
        return work(bmc)
