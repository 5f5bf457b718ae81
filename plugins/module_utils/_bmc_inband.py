# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's own BMC, in-band, through Linux's IPMI driver (KCS and its kin).

Speaks to /dev/ipmi0 by ioctl (include/uapi/linux/ipmi.h) instead of running ipmitool: a password is then in no
argument list, completion codes are exact, and sixty commands cost milliseconds instead of sixty processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import glob
import os
import select
import time
from collections.abc import Iterator

from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    BmcCommandError,
    BmcError,
    BmcTimeout,
    BmcUnreachable,
)

SYSTEM_INTERFACE, BMC_CHANNEL = 0x0C, 0x0F
MAX_MESSAGE = 272
BUSY_CODES = frozenset({0xC0, 0xD2})
READ, WRITE = 2, 1


class _Message(ctypes.Structure):
    _fields_ = (
        ("netfn", ctypes.c_ubyte),
        ("command", ctypes.c_ubyte),
        ("length", ctypes.c_ushort),
        ("data", ctypes.c_void_p),
    )


class _Address(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("channel", ctypes.c_short), ("lun", ctypes.c_ubyte))


class _Request(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("address_length", ctypes.c_uint),
        ("number", ctypes.c_long),
        ("message", _Message),
    )


class _Received(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), *_Request._fields_)


def _ioctl_number(direction: int, number: int, structure: type) -> int:
    return direction << 30 | ctypes.sizeof(structure) << 16 | ord("i") << 8 | number


SEND_COMMAND = _ioctl_number(READ, 13, _Request)
RECEIVE_TRUNCATED = _ioctl_number(READ | WRITE, 11, _Received)


class InBand:
    """The driver's device, with the same ``raw`` as a session over the LAN.

    :param timeout: seconds that all commands together may take.
    """

    def __init__(self, descriptor: int, timeout: float) -> None:
        self._descriptor = descriptor
        self._until = time.monotonic() + timeout
        self._timeout = timeout
        self._number = 0

    def raw(
        self, netfn: int, command: int, data: bytes = b"", what: str = "run a command", repeatable: bool = True
    ) -> bytes:
        """Send one IPMI command to the BMC and return the data after the completion code.

        :raises BmcCommandError: for a completion code other than zero.
        :raises BmcTimeout: when there is no answer in time.
        """
        for attempt in range(20):
            answer = self._exchange(netfn, command, data, what)
            code = answer[0]
            if code == 0:
                return answer[1:]
            if code not in BUSY_CODES or attempt == 19:
                raise BmcCommandError(what, netfn, command, code)
            time.sleep(0.05 * (attempt + 1))  # the BMC asked for patience
        raise AssertionError  # the loop returns or raises

    def _exchange(self, netfn: int, command: int, data: bytes, what: str) -> bytes:
        self._number += 1
        address = _Address(SYSTEM_INTERFACE, BMC_CHANNEL, 0)
        sent = ctypes.create_string_buffer(bytes(data), max(1, len(data)))
        request = _Request(
            ctypes.addressof(address),
            ctypes.sizeof(address),
            self._number,
            _Message(netfn, command, len(data), ctypes.addressof(sent)),
        )
        try:
            fcntl.ioctl(self._descriptor, SEND_COMMAND, request)
            while True:
                left = self._until - time.monotonic()
                if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                    raise BmcTimeout(
                        f"this machine's BMC did not answer within {self._timeout:g} s when asked to {what}; "
                        "reset the BMC or take power from the machine for a minute"
                    )
                answer = self._receive()
                if answer is not None:
                    return answer
        except OSError as error:
            raise BmcError(f"the kernel's IPMI driver failed when the BMC was asked to {what}: {error}") from error

    def _receive(self) -> bytes | None:
        """The answer to the last request; None for something else that came in."""
        address = _Address()
        buffer = ctypes.create_string_buffer(MAX_MESSAGE)
        received = _Received(
            0,
            ctypes.addressof(address),
            ctypes.sizeof(address),
            0,
            _Message(0, 0, MAX_MESSAGE, ctypes.addressof(buffer)),
        )
        fcntl.ioctl(self._descriptor, RECEIVE_TRUNCATED, received)
        if received.number != self._number or received.message.length < 1:
            return None
        return buffer.raw[: received.message.length]


@contextlib.contextmanager
def in_band_bmc(timeout: float, device: str = "") -> Iterator[InBand]:
    """Open the IPMI device of this machine.

    :param device: path of the device; by default the first that there is.
    :raises BmcUnreachable: when there is none.
    """
    found = [device] if device else sorted(glob.glob("/dev/ipmi[0-9]*") + glob.glob("/dev/ipmi/[0-9]*"))
    if not found:
        raise BmcUnreachable(
            "this machine has no IPMI device (/dev/ipmi0); load the kernel modules ipmi_si (or ipmi_ssif) and "
            "ipmi_devintf, and check that it has a BMC"
        )
    try:
        descriptor = os.open(found[0], os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise BmcUnreachable(f"{found[0]} cannot be opened: {error}; run as root") from error
    try:
        yield InBand(descriptor, timeout)
    finally:
        os.close(descriptor)
