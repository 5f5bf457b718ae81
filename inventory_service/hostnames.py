"""Host names as RFC 1123, section 2.1, has them: one label or several, letters, digits, hyphens."""

from __future__ import annotations

import re

from inventory_service.problems import Invalid

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)


def check_hostname(field: str, name: str) -> str:
    """A host name in small letters.

    :raises Invalid: it is none
    """
    if len(name) > 253 or not _HOSTNAME.fullmatch(name):
        raise Invalid(
            field, name, f"{name!r} is not a host name", "labels of 1 to 63 of a-z, 0-9, '-', with dots between"
        )
    return name
