"""The one line at the bottom that is updated on a terminal; in a pipe there are plain lines only."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from metalpool_cli.output import harmless

_CLEAR = "\r\x1b[K"
_PACE_SECONDS = 0.5


class Live:
    """Lines that stay, above one that changes.

    :param stream: mostly the standard error
    :param quiet: show nothing at all
    """

    def __init__(self, stream: TextIO, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self.is_live = stream.isatty() and not quiet
        self._line: Callable[[float], str] = lambda _elapsed: ""
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True)

    def __enter__(self) -> Self:
        if self.is_live:
            self._thread.start()
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.is_live:
            self._over.set()
            self._thread.join()
            self._write(_CLEAR)

    def say(self, line: str) -> None:
        """Add a line that stays."""
        if not self._quiet:
            with self._lock:
                self._write(f"{_CLEAR if self.is_live else ''}{harmless(line)}\n")

    def change(self, line: Callable[[float], str]) -> None:
        """Set the line at the bottom: it is made of the seconds since now."""
        with self._lock:
            self._line, self._since = line, time.monotonic()

    def _redraw(self) -> None:
        while not self._over.wait(_PACE_SECONDS):
            with self._lock:
                width = shutil.get_terminal_size().columns
                self._write(_CLEAR + harmless(self._line(time.monotonic() - self._since))[: width - 1])

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
