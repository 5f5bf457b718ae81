"""What the agent says on the console: the only place where a node without a network can be heard."""

from __future__ import annotations

import time


def say(message: str) -> None:
    """Print one line for people, marked as ours."""
    print(f"metalpool: {message}", flush=True)


def phase(name: str) -> None:
    """Print that a phase of the boot ended, in seconds since the kernel started."""
    print(f"metalpool: phase {name} {time.clock_gettime(time.CLOCK_BOOTTIME):.2f}", flush=True)
