# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen for LLDP neighbours for a while; switches speak every 30 seconds by default (IEEE 802.1AB, 10.5.3)."""

from __future__ import annotations

import subprocess
import time

from ansible_collections.metalpool.core.plugins.module_utils._facts_devices import lldp_neighbours, physical_interfaces
from ansible_collections.metalpool.core.plugins.module_utils._run import read_text, run


def listen(seconds: float) -> dict[str, dict]:
    """Neighbours by interface; ends early when each interface with a link has one.

    lldpd is started for that time where it does not run.
    """
    for name in physical_interfaces():
        if not int(read_text(f"/sys/class/net/{name}/flags") or "0", 16) & 1:  # IFF_UP
            run(["ip", "link", "set", name, "up"], 10)
    daemon = None
    if not run(["lldpcli", "-f", "json0", "show", "configuration"], 10).ok:
        try:
            daemon = subprocess.Popen(["lldpd", "-d"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            return {}
    try:
        end = time.monotonic() + seconds
        while True:
            found = lldp_neighbours()
            linked = [name for name in physical_interfaces() if read_text(f"/sys/class/net/{name}/carrier") == "1"]
            if time.monotonic() >= end or (linked and all(name in found for name in linked)):
                return found
            time.sleep(0.5)
    finally:
        if daemon:
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
