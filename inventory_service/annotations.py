"""Notes and annotations: what people and their tools write beside a node or an allocation. Nothing here acts on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from inventory_service.problems import Invalid

_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?", re.ASCII)
KEY_RULE = "1 to 63 of a-z, A-Z, 0-9, '.', '_', '/' and '-', a letter or digit first and last"
KEYS = 64
VALUE_LENGTH = 1000


def merged(before: Mapping[str, Any], said: Mapping[str, str | None]) -> dict[str, Any]:
    """The annotations with what is said: a text sets a key, null takes it out, the others stay.

    :raises Invalid: no key, a value that is too long, or too many keys
    """
    for key, value in said.items():
        field = f"annotations.{key}"
        if not _KEY.fullmatch(key):
            raise Invalid(field, key, f"{key!r} is not a key", KEY_RULE)
        if value is not None and len(value) > VALUE_LENGTH:
            raise Invalid(field, value[:40] + "...", f"{len(value)} characters are too many", f"at most {VALUE_LENGTH}")
    after = {key: value for key, value in (dict(before) | dict(said)).items() if value is not None}
    if len(after) > KEYS:
        raise Invalid("annotations", len(after), f"{len(after)} keys are too many", f"at most {KEYS}")
    return after


def parse_filter(text: str, field: str) -> tuple[str, str]:
    """``key=value`` of a list's filter.

    :raises Invalid: it is none
    """
    key, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise Invalid(field, text, f"{text!r} names no key and value", "key=value")
    return key, value
