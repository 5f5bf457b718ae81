# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the node's tools; a tool that is missing is an answer, not a crash."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

ENVIRONMENT = {"LC_ALL": "C", "LANG": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
MISSING = 127
TIMED_OUT = 124


class Result(t.NamedTuple):
    """What a tool answered. C(rc) is 127 when the tool is missing and 124 when it took too long."""

    argv: list
    rc: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.rc == 0

    @property
    def missing(self) -> bool:
        return self.rc == MISSING

    def reason(self) -> str:
        """One line for people: which tool, and its last words."""
        words = (self.err.strip() or self.out.strip()).splitlines()
        return "%s: rc %s: %s" % (os.path.basename(self.argv[0]), self.rc, words[-1][:300] if words else "no message")


def run(argv: t.Sequence[str], timeout: float = 60, stdin: str | None = None) -> Result:
    """Run one tool to its end.

    :param timeout: seconds, then the tool is killed
    """
    environment = dict(os.environ, **ENVIRONMENT)
    environment["PATH"] = os.environ.get("PATH", "") + ":" + ENVIRONMENT["PATH"]
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )
    except FileNotFoundError:
        return Result(list(argv), MISSING, "", "not installed")
    except subprocess.TimeoutExpired:
        return Result(list(argv), TIMED_OUT, "", f"no end within {timeout} seconds")
    except OSError as error:
        return Result(list(argv), 126, "", str(error))
    return Result(list(argv), done.returncode, done.stdout, done.stderr)


def run_json(argv: t.Sequence[str], timeout: float = 60) -> t.Any:
    """The JSON a tool prints, whatever its exit code (smartctl sets bits in it); None when there is none."""
    result = run(argv, timeout)
    try:
        return json.loads(result.out)
    except ValueError:
        return None


def read_text(path: str, default: str | None = None) -> str | None:
    """A small file of /sys or /proc without its white space; the default when it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read().decode("utf-8", "replace").replace("\0", " ").strip()
    except OSError:
        return default


def read_int(path: str, default: int | None = None) -> int | None:
    """An integer file of /sys; the default when it cannot be read."""
    text = read_text(path)
    try:
        return int(text) if text else default
    except ValueError:
        return default
