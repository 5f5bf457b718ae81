"""Where several processes count beside one another. It loads nothing: ``serve`` says it before any of them does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_NAME = "PROMETHEUS_MULTIPROC_DIR"
"""The client's own name for it; it looks once, when it is loaded."""


def share(directory: Path) -> None:
    """Let the processes that are started from now on count in files of this directory. What older ones counted is over."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    os.environ[_NAME] = str(directory)


def shared_in() -> Path | None:
    """The directory; None in a process that counts alone."""
    return Path(os.environ[_NAME]) if os.environ.get(_NAME) else None
