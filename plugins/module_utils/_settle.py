# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the kernel has found what the machine has: a disk that comes late must be neither missed nor left unerased."""

from __future__ import annotations

import glob
import os
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._device_news import DeviceNews
from ansible_collections.metalpool.core.plugins.module_utils._disks import list_disks
from ansible_collections.metalpool.core.plugins.module_utils._run import read_text, run

# The ephemeral OS starts its drivers beside the check-in and waits for them with this program.
OWN_PROGRAM = "/usr/lib/metalpool/settle"
QUIET_SECONDS = 0.5
NVME_PAUSE = 0.1
LONGEST_SILENCE = 1.0
"""What is waited for is looked at again after so long, though the kernel said nothing: a serial number may come later than its disk."""
NVME_ON_ITS_WAY = ("new", "resetting", "connecting")


def settle(limit_seconds: float = 60) -> None:
    """Drivers are loaded, udev has nothing to do, NVMe controllers have started, and no disk has come for a moment."""
    end = time.monotonic() + limit_seconds
    if os.path.exists(OWN_PROGRAM):
        run([OWN_PROGRAM, str(int(limit_seconds))], limit_seconds + 5)
    elif os.path.exists("/run/udev/control"):
        run(["udevadm", "settle", f"--timeout={int(limit_seconds)}"], limit_seconds + 5)
    seen, since = None, time.monotonic()
    with DeviceNews("block") as news:
        while time.monotonic() < end:
            now, starting = sorted(os.listdir("/sys/block")), _nvme_is_starting()
            if now != seen or starting:
                seen, since = now, time.monotonic()
            quiet = time.monotonic() - since
            if quiet >= QUIET_SECONDS:
                return
            # A controller that starts tells nobody.
            news.wait(NVME_PAUSE if starting else QUIET_SECONDS - quiet)


def await_disk(name: str, limit_seconds: float) -> None:
    """Wait for one disk, for work that concerns no other: it may begin while drivers of others are still loaded.

    After the time, settles and waits once more as :func:`await_disks`.
    """
    end = time.monotonic() + limit_seconds
    with DeviceNews("block") as news:
        while time.monotonic() < end:
            if name.startswith("/") or any(disk.is_called(name) for disk in list_disks()):
                return
            news.wait(LONGEST_SILENCE)
    await_disks([name], limit_seconds)


def await_disks(names: t.Sequence[str], limit_seconds: float) -> list[str]:
    """Settle, and wait for the disks with these serial numbers or WWNs (paths and the word "all" are not waited for).

    :returns: the names that no disk has
    """
    settle()
    end = time.monotonic() + limit_seconds
    wanted = [name for name in names if name != "all" and not name.startswith("/")]
    with DeviceNews("block") as news:
        while True:
            disks = list_disks()
            missing = [name for name in wanted if not any(disk.is_called(name) for disk in disks)]
            if not missing or time.monotonic() >= end:
                return missing
            news.wait(LONGEST_SILENCE)


def _nvme_is_starting() -> bool:
    return any(read_text(path) in NVME_ON_ITS_WAY for path in glob.glob("/sys/class/nvme/nvme*/state"))
