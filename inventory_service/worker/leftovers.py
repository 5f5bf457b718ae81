"""What a run leaves behind: processes that outlive ansible-playbook, and the run directory with its secrets.

Each of Ansible's task processes leads a session of its own, so ending ansible-playbook does not end the task that it is at: that task
would go on acting on a machine which by then belongs to the next attempt.
"""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

RUN_VARIABLE = "METALPOOL_RUN_DIRECTORY"
"""Environment variable that marks every process of a run, whatever its parent or session."""


def processes_of(run_directory: Path) -> list[int]:
    """Ids of the processes that were started within a run."""
    marker = f"{RUN_VARIABLE}={run_directory}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if marker in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def clean_up(run_directory: Path) -> None:
    """Kill every process of a run, until none is left that could have started another, and remove its directory."""
    while processes := processes_of(run_directory):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)  # the kernel needs a moment to end them
    shutil.rmtree(run_directory, ignore_errors=True)
