"""What clients ask for: random constraints over a varied pool, most of which something fits, in the words of users."""

from __future__ import annotations

import random
from typing import Any

_CPUS = (2, 4, 8, 16, 32, 64)
_MEMORY = ("4G", "8G", "16G", "32G", "64G", "128G")


def constraints(chance: random.Random) -> dict[str, Any]:
    """One request: at least so many CPUs and so much memory, half of the time a zone, sometimes a pool or a tag."""
    wanted: dict[str, Any] = {"cpus": chance.choice(_CPUS), "mem": chance.choice(_MEMORY)}
    if chance.random() < 0.5:
        wanted["zone"] = f"row-{chance.randint(1, 8)}"
    if chance.random() < 0.2:
        wanted["pool"] = chance.choice(("build", "lab", "research"))
    if chance.random() < 0.3:
        wanted["tag"] = chance.choice(("burnt-in", "rack-ups", "sriov", "dual-psu"))
    if chance.random() < 0.2:
        wanted["arch"] = "amd64"
    return wanted
