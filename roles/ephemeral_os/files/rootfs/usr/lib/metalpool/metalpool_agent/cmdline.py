"""What the boot script told us, on the kernel's command line."""

from __future__ import annotations

MODES = ("enlist", "operation")


class CommandLineError(ValueError):
    """The kernel's command line lacks something, or says something that is not known."""


def parse(text: str) -> dict[str, str]:
    """The ``metalpool.*`` words of a command line, without the prefix; ``url`` without a slash at its end.

    Raises CommandLineError when ``url`` is not plain http, ``mode`` is unknown, or an operation has no ``boot``.
    """
    words = {}
    for word in text.split():
        name, unused, value = word.partition("=")
        if name.startswith("metalpool."):
            words[name.removeprefix("metalpool.")] = value
    words["url"] = words.get("url", "").rstrip("/")
    if not words["url"].startswith("http://"):
        raise CommandLineError(f"metalpool.url={words['url']!r}: it must begin with http://; see the boot script")
    if words.get("mode") not in MODES:
        raise CommandLineError(f"metalpool.mode={words.get('mode')!r}: allowed are {' and '.join(MODES)}")
    if words["mode"] == "operation" and not words.get("boot"):
        raise CommandLineError("metalpool.boot is missing: an operation needs the id of its boot")
    return words
