# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a BMC, each kind with a name and with what to do next."""

from __future__ import annotations

# Completion codes that every command may answer with (IPMI 2.0, table 5-2).
COMPLETION_CODES = {
    0xC0: "node busy",
    0xC1: "invalid command",
    0xC2: "command invalid for the given LUN",
    0xC3: "time-out inside the BMC",
    0xC4: "out of space",
    0xC5: "reservation cancelled or invalid",
    0xC6: "request data truncated",
    0xC7: "request data length invalid",
    0xC8: "request data field length limit exceeded",
    0xC9: "parameter out of range",
    0xCA: "cannot return the number of requested bytes",
    0xCB: "requested sensor, data or record not present",
    0xCC: "invalid data field in the request",
    0xCD: "command illegal for the specified sensor or record type",
    0xCE: "command response could not be provided",
    0xCF: "cannot execute a duplicated request",
    0xD0: "the SDR repository is in update mode",
    0xD1: "the BMC's firmware is in update mode",
    0xD2: "BMC initialization in progress",
    0xD3: "destination unavailable",
    0xD4: "insufficient privilege level",
    0xD5: "not supported in the present state",
    0xD6: "sub-function disabled or unavailable",
    0xFF: "unspecified error",
}

UNSUPPORTED_CODES = frozenset({0xC1, 0xC2, 0xC9, 0xCC, 0xD6})
"""Codes by which a BMC says that it does not know a command or a parameter."""


class BmcError(Exception):
    """Base of all failures; ``kind`` is what playbooks may branch on."""

    kind = "failed"

    def as_result(self) -> dict:
        return {"msg": str(self), "bmc_error": self.kind}


class BmcUnreachable(BmcError):
    """Nothing answers at that address and port."""

    kind = "unreachable"


class BmcAuthError(BmcError):
    """The BMC refused the user's name, password or privilege."""

    kind = "auth"


class BmcBusy(BmcError):
    """Another program on this host holds the BMC, or the BMC has no session left."""

    kind = "busy"


class BmcTimeout(BmcError):
    """The BMC answered at first, but the deadline came before the work was done."""

    kind = "timeout"


class BmcUnconfirmed(BmcError):
    """A command was accepted, but reading back does not show its effect."""

    kind = "unconfirmed"


class BmcUnsupported(BmcError):
    """The BMC cannot do what was asked."""

    kind = "unsupported"


class BmcCommandError(BmcError):
    """A command was answered with a completion code other than zero.

    :param code: IPMI completion code, 0x01 to 0xFF.
    """

    kind = "refused"

    def __init__(self, what: str, netfn: int, command: int, code: int, hint: str = "") -> None:
        meaning = COMPLETION_CODES.get(code, "a code that is specific to this command")
        sent = f"netfn 0x{netfn:02x}, command 0x{command:02x}"
        text = f"the BMC refused to {what}: completion code 0x{code:02x}, {meaning} ({sent})"
        super().__init__(f"{text}. {hint}" if hint else text)
        self.code = code
