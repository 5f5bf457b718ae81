# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel, and udev after it, say of devices as they come (uevents, by netlink(7)). Private to this collection."""
from __future__ import annotations

import select
import socket
import time

NETLINK_KOBJECT_UEVENT = 15
FROM_THE_KERNEL, FROM_UDEV = 1, 2
LONGEST_MESSAGE = 1 << 16


class DeviceNews:
    """Uevents of one subsystem from the moment that this is made; look at the devices after that, then wait."""

    def __init__(self, subsystem: str) -> None:
        self._wanted = b"SUBSYSTEM=" + subsystem.encode()
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)
            self._socket.bind((0, FROM_THE_KERNEL | FROM_UDEV))
        except OSError:
            self.close()  # not allowed here, such as in a container: then every wait takes its time

    def wait(self, seconds: float) -> bool:
        """Wait for a device of the subsystem to come, change or go, for so many seconds at most; whether one did."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._socket is None:
                time.sleep(left)
            elif select.select([self._socket], [], [], left)[0] and self._read():
                return True

    def _read(self) -> bool:
        """Take all that was said; whether some of it is about the subsystem."""
        found = False
        while True:
            try:
                message = self._socket.recv(LONGEST_MESSAGE)
            except BlockingIOError:
                return found
            except OSError:
                return True  # more was said than the socket holds: something may have been among it
            found = found or self._wanted in message.split(b"\0")

    def close(self) -> None:
        """Hear no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> DeviceNews:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
