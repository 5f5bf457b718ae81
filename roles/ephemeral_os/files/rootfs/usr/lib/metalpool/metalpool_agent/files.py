"""Small files of the kernel's, without pathlib: its import costs as much as the whole agent."""

from __future__ import annotations


def read(path: str) -> str:
    """A file's text without white space at its ends; empty when there is none, or nothing is allowed to read it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
