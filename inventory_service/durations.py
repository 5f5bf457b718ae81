"""How long, and until when: the one grammar of leases and other times that people type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from inventory_service.problems import Invalid

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
DURATION_RULE = "a duration such as 90m, 8h, 2d or 1d12h (units w, d, h, m, s)"
MOMENT_RULE = "a moment of ISO 8601 with its time zone, such as 2027-01-31T18:00:00Z or 2027-01-31T19:00+01:00"
LEASE_RULE = f"{DURATION_RULE}, or {MOMENT_RULE}"
LONGEST = timedelta(days=3650)
_PART = re.compile(r"([0-9]{1,9})([wdhms])", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-")


def parse_duration(field: str, value: object) -> timedelta:
    """A duration such as ``8h`` or ``1d12h``.

    :raises Invalid: it is none, is nothing, or is longer than ten years
    """
    text = re.sub(r"\s", "", str(value)).lower()
    parts = _PART.findall(text)
    if not text or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(field, value, f"{str(value)!r} is no duration", DURATION_RULE)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= LONGEST.total_seconds():
        raise Invalid(field, value, f"{str(value)!r} is not between 1s and {say_duration(LONGEST)}", DURATION_RULE)
    return timedelta(seconds=seconds)


def parse_moment(field: str, value: object) -> datetime:
    """A moment with its time zone, in UTC.

    :raises Invalid: it is none, or it is ambiguous for want of a time zone
    """
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise Invalid(field, value, f"{str(value)!r} is no moment", MOMENT_RULE) from None
    if found.tzinfo is None:
        raise Invalid(field, value, f"{str(value)!r} names no time zone", MOMENT_RULE)
    return found.astimezone(UTC)


def parse_end(field: str, value: object, now: datetime) -> datetime:
    """When something ends that is to last so long from now, or until that moment.

    :raises Invalid: neither a duration nor a moment, or the moment is past or more than ten years away
    """
    if not _MOMENT.match(str(value).strip()):
        return now + parse_duration(field, value)
    end = parse_moment(field, value)
    if not now < end <= now + LONGEST:
        raise Invalid(field, value, f"{say_moment(end)} is past, or too far away; it is {say_moment(now)}", LEASE_RULE)
    return end


def say_duration(span: timedelta) -> str:
    """A duration as it can be typed."""
    left, said = int(span.total_seconds()), ""
    for unit, seconds in UNITS.items():
        if unit != "w" and left >= seconds:
            said += f"{left // seconds}{unit}"
            left %= seconds
    return said or "0s"


def say_moment(moment: datetime) -> str:
    """A moment as it can be typed, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
