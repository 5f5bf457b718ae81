"""Processes that end with the one that started them: nobody else would end them, and the port would stay taken."""

from __future__ import annotations

import ctypes
import os
import signal

_NAME = "METALPOOL_SUPERVISOR"
_PR_SET_PDEATHSIG = 1


def supervise() -> None:
    """From now on, what this process starts knows whose end is its own."""
    os.environ[_NAME] = str(os.getpid())


def end_with_supervisor() -> None:
    """Ask Linux to end this process when its supervisor dies, or rather the thread of it that started this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ.get(_NAME) or os.getppid()):
        os.kill(os.getpid(), signal.SIGKILL)
