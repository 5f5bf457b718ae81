"""How long, or until when: the two ways to say it in a request."""

from __future__ import annotations

from inventory_service.api.schemas.allocations import ExtendIn, NodeWanted
from inventory_service.durations import parse_moment
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
