"""JSON by the C half of Python's own module: its other half loads regular expressions, half a second on a slow machine."""

from __future__ import annotations

import _json


class _Rules:
    """What the scanner asks of its owner: plain JSON."""

    def __init__(self) -> None:
        self.strict = True
        self.object_hook = self.object_pairs_hook = None
        self.parse_int, self.parse_float, self.parse_constant = int, float, float
        self.memo: dict = {}


_scan = _json.make_scanner(_Rules())


def encode(value: object) -> str:
    """A text without characters beyond ASCII. Raises TypeError for what is neither None, bool, int, str, list nor dict."""
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if value is None or isinstance(value, (bool, int)):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(encode, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{encode(str(name))}: {encode(item)}' for name, item in value.items())}}}"
    raise TypeError(f"{type(value).__name__} is not JSON")


def decode(text: str) -> object:
    """The value that the text begins with. Raises ValueError when it is no JSON."""
    try:
        return _scan(text.strip(), 0)[0]
    except StopIteration:
        raise ValueError(f"not JSON: {text[:60]!r}") from None
