"""What a person sees while long work goes on: one line for what is done, one living line for what is going on."""

import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

TASK = re.compile(r"^TASK \[(?:.* : )?(.*?)\] \**$")
WIDTH = 100


class Progress:
    """Writes to a terminal or, without one, plain lines.

    Durations of the steps are kept in ``seconds``, by title, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._title = ""
        self._detail = ""
        self._started = 0.0

    def headline(self, text: str) -> None:
        """Begin a chapter."""
        self._write(f"\n{text}\n")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"    {text}\n")

    def detail(self, text: str) -> None:
        """What the step does right now; shown on a terminal only."""
        self._detail = text

    def task(self, line: str) -> None:
        """Take a line that ansible-playbook printed; the name of a task becomes the detail."""
        if found := TASK.match(line):
            self._detail = found[1]

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One piece of work with a title; its duration is printed at the end, or that it failed."""
        self._title, self._detail, self._started = title, "", time.monotonic()
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(ended,), daemon=True)
        ticker.start()
        verdict = "failed"
        try:
            yield
            verdict = "ok"
        finally:
            ended.set()
            ticker.join()
            seconds = time.monotonic() - self._started
            self.seconds[title] = seconds
            self._write(f"  {title:<66} {verdict:>6} {seconds:7.1f} s\n")

    def _tick(self, ended: threading.Event) -> None:
        while self._terminal and not ended.wait(0.5):
            seconds = time.monotonic() - self._started
            line = f"  {self._title} {seconds:.0f} s  {self._detail}"[:WIDTH]
            with self._lock:
                sys.stdout.write(f"\r\x1b[K{line}")
                sys.stdout.flush()

    def _write(self, text: str) -> None:
        with self._lock:
            sys.stdout.write(f"\r\x1b[K{text}" if self._terminal else text)
            sys.stdout.flush()


def table(rows: Sequence[tuple[str, ...]], titles: tuple[str, ...]) -> str:
    """A table for people; the first column is left-aligned, numbers to the right."""
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    lines = []
    for row in [titles, tuple("-" * width for width in widths), *rows]:
        placed = enumerate(zip(row, widths, strict=True))
        cells = [cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in placed]
        lines.append("  " + "  ".join(cells))
    return "\n".join(lines)
