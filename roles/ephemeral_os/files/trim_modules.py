"""Keep the kernel modules that modules.keep names, and what they depend on; delete the others.

Usage: python3 trim_modules.py MODULES_KEEP /path/to/lib/modules/RELEASE
"""

from __future__ import annotations

import fnmatch
import pathlib
import re
import sys


def braces(pattern: str) -> list[str]:
    """Expand one level of ``{a,b}`` in a glob: fnmatch does not know braces."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    return [
        expanded
        for choice in match[1].split(",")
        for expanded in braces(pattern[: match.start()] + choice + pattern[match.end():])
    ]


def read_globs(text: str) -> tuple[list[str], list[str]]:
    """The globs to keep and those to take out again, in this order."""
    keep: list[str] = []
    drop: list[str] = []
    for line in text.splitlines():
        word = line.split("#")[0].strip()
        if word:
            (drop if word.startswith("!") else keep).extend(braces(word.lstrip("!").replace("**", "*")))
    return keep, drop


def select(paths: list[str], depends: dict[str, list[str]], keep: list[str], drop: list[str]) -> set[str]:
    """The modules to keep: those that a glob names, with everything that they depend on."""
    def named(path: str, globs: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(path, glob) for glob in globs)

    wanted = {path for path in paths if named(path, keep) and not named(path, drop)}
    for path in list(wanted):
        wanted.update(depends.get(path, []))
    return wanted


def read_depends(text: str) -> dict[str, list[str]]:
    """modules.dep lists for every module all that it needs, however far; paths begin with ``kernel/``."""
    depends = {}
    for line in text.splitlines():
        path, unused, needs = line.partition(":")
        depends[path.removeprefix("kernel/")] = [need.removeprefix("kernel/") for need in needs.split()]
    return depends


def main() -> None:
    """Delete what is not kept below the directory, and print how many modules stayed."""
    globs, root = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    depends = read_depends((root / "modules.dep").read_text())
    wanted = select(list(depends), depends, *read_globs(globs.read_text()))
    for path in depends:
        if path not in wanted:
            (root / "kernel" / path).unlink()
    print(f"kernel modules: {len(wanted)} of {len(depends)} kept")


if __name__ == "__main__":
    main()
