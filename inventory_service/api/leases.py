"""How long, or until when: the two ways to say it in a request; and how long to wait in line."""

from __future__ import annotations

from datetime import datetime

from inventory_service import clock
from inventory_service.api.schemas.allocations import Acquisition, ExtendIn, NodeWanted
from inventory_service.durations import parse_duration, parse_moment
from inventory_service.problems import Invalid


def lease_of(wanted: NodeWanted | ExtendIn) -> str | None:
    """How long, or until when.

    :raises Invalid: both are given, or the end is no moment
    """
    if wanted.lease and wanted.until:
        raise Invalid("until", wanted.until, "give lease or until, not both", ["lease", "until"])
    if wanted.until:
        parse_moment("until", wanted.until)
    return wanted.until or wanted.lease


def wait_until(wanted: Acquisition) -> datetime | None:
    """When to give up waiting in line; None is never."""
    return clock.now() + parse_duration("wait_timeout", wanted.wait_timeout) if wanted.wait_timeout else None
