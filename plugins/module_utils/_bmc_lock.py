# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One conversation with a BMC at a time on this host.

BMCs have few sessions and many mix up concurrent ones. Whoever speaks to a BMC holds an exclusive flock(2) on that
BMC's file for as long as its session lasts; the kernel drops it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator


def default_lock_directory() -> str:
    """The directory that all users of this host share for locks."""
    base = "/run/lock" if os.path.isdir("/run/lock") and os.access("/run/lock", os.W_OK) else tempfile.gettempdir()
    return os.path.join(base, "metalpool-bmc")


def lock_path(directory: str, address: str, port: int) -> str:
    """The lock file of a BMC; the address is an IP address, so that all names of a BMC share one lock."""
    return os.path.join(directory, re.sub(r"[^0-9A-Za-z.]", "_", address) + f"-{port}")


def _open_lock_file(path: str) -> int:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        with contextlib.suppress(FileExistsError):
            os.makedirs(directory)
            os.chmod(directory, 0o1777)
    while True:
        # In a sticky directory nobody may open another's file with O_CREAT (fs.protected_regular): first without.
        for flags in (os.O_RDWR, os.O_RDONLY):  # flock works on either; other users' files are read-only for us
            try:
                return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    break
                if flags == os.O_RDONLY or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                    raise
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def lock_holder(directory: str, address: str, port: int) -> str:
    """Who wrote the lock file last, for messages; empty when unknown."""
    try:
        with open(lock_path(directory, address, port), encoding="utf-8", errors="replace") as handle:
            return handle.read(200).strip()
    except OSError:
        return ""


@contextlib.contextmanager
def bmc_lock(directory: str, address: str, port: int) -> Iterator[None]:
    """Hold the BMC's lock; waits for it without end, so call it inside a time limit.

    :raises OSError: when the lock file cannot be opened.
    """
    descriptor = _open_lock_file(lock_path(directory, address, port))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # a file of another user cannot be written
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
