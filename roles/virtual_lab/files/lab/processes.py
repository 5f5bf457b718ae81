"""Processes that outlive the program that starts them, known by pid and start time.

A pid alone is not enough: after a crash it may belong to somebody else. The start time (field 22 of /proc/PID/stat, see
proc(5)) tells the two apart. A zombie counts as gone, because in a container nobody may reap it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from files import wait_for


def start_time(pid: int) -> str | None:
    """Returns when the process was started, in clock ticks since boot; None when it is not running."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def running(pid_file: Path) -> int | None:
    """Returns the pid that the file names when that very process runs, else None."""
    try:
        pid, started = pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def start(command: list[str], pid_file: Path, log_file: Path, directory: Path) -> int:
    """Starts a process in a session of its own, with no descriptor of ours but its log; returns its pid.

    SIGPIPE stays ignored, as it is in Python itself: ipmi_sim does not guard against it, and dies of it when a guest is
    switched off at the moment in which ipmi_sim writes to it.
    """
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, close_fds=True, restore_signals=False)
    pid_file.write_text(f"{process.pid} {start_time(process.pid)}\n")
    process.returncode = 0  # it is meant to go on; keeps the interpreter from warning about it
    return process.pid


def end(pid: int, seconds: float = 5) -> None:
    """Ends a process: asks, then insists. Returns when it is gone."""
    started = start_time(pid)

    def gone() -> bool:
        reap(pid)
        return start_time(pid) != started or started is None

    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return
        if wait_for(gone, seconds):
            return
    raise RuntimeError(f"process {pid} does not end, not even by SIGKILL; look at /proc/{pid}/stack")


def reap(pid: int) -> None:
    """Collects the exit status when the process is a child of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
