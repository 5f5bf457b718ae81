"""What clients ask for: random constraints over a varied pool, in the words of users; something nearly always fits."""

from __future__ import annotations

import random
from typing import Any

_CPUS = (2, 4, 8, 16, 32, 64)
_MEMORY = ("4G", "8G", "16G", "32G", "64G", "128G")


def constraints(chance: random.Random) -> dict[str, Any]:
    """At least so many CPUs and so much memory; mostly a zone, a pool or a tag; sometimes an architecture."""
    wanted: dict[str, Any] = {"cpus": chance.choice(_CPUS), "mem": chance.choice(_MEMORY)}
    where = chance.random()
    if where < 0.3:
        wanted["zone"] = f"row-{chance.randint(1, 8)}"
    elif where < 0.5:
        wanted["pool"] = chance.choice(("build", "lab", "research"))
    elif where < 0.8:
        wanted["tag"] = chance.choice(("burnt-in", "rack-ups", "sriov", "dual-psu"))
    if chance.random() < 0.2:
        wanted["arch"] = "amd64"
    return wanted
