"""The steps of every operation and how many seconds each may take: the one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Step(NamedTuple):
    """One step: its name in the API, its title for people, its limit in seconds."""

    name: str
    title: str
    limit_seconds: int


STEPS: dict[str, tuple[Step, ...]] = {
    "commission": (
        Step("power_on", "Power on", 120),
        Step("boot", "Boot the ephemeral OS", 420),
        Step("bmc_account", "Make and prove the BMC account", 180),
        Step("site_before", "Site's own tasks, before", 600),
        Step("inventory", "Take the hardware inventory", 180),
        Step("health_test", "Test disks and memory", 300),
        Step("site_after", "Site's own tasks, after", 600),
        Step("power_off", "Power off", 120),
    ),
    "deploy": (
        Step("power_on", "Power on", 120),
        Step("boot", "Boot the ephemeral OS", 420),
        Step("site_before", "Site's own tasks, before", 600),
        Step("write_image", "Write the image", 1200),
        Step("configure", "Configure the installed system", 240),
        Step("site_after", "Site's own tasks, after", 600),
        Step("restart", "Restart into the installed system", 120),
        Step("first_boot", "First boot of the installed system", 600),
        Step("verify_ssh", "Verify SSH and its host key", 120),
    ),
    "release": (
        Step("power_off", "Power off the user's system", 120),
        Step("boot", "Boot the ephemeral OS", 420),
        Step("site_before", "Site's own tasks, before", 600),
        Step("erase", "Erase and verify every disk", 7200),
        Step("bmc_reset", "Reset the BMC's accounts and password", 180),
        Step("firmware_check", "Compare the firmware with what was commissioned", 120),
        Step("site_after", "Site's own tasks, after", 600),
        Step("power_off_end", "Power off", 120),
    ),
}


BMC_STEPS = frozenset({"power_on", "power_off", "power_off_end", "bmc_account", "bmc_reset"})
"""Steps that talk to the BMC and to nothing else: whoever fails in one failed at it."""


def steps_of(kind: str, overrides: Mapping[str, int] | None = None) -> tuple[Step, ...]:
    """The steps of one kind of operation with a site's own limits.

    :param overrides: limits in seconds by ``kind.step``
    """
    limits = overrides or {}
    return tuple(
        step._replace(limit_seconds=limits.get(f"{kind}.{step.name}", step.limit_seconds)) for step in STEPS[kind]
    )
