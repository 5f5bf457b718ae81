"""Expressions of users, evaluated where they can do no harm: in a process apart that is killed at its time limit.

An expression is boolean Jinja2 without braces, such as ``cpus >= 16 and facts.bmc.firmware is match("2\\.")``. What a
node has not is not an error: it is ``Missing``, which is false and compares false, so the node does not match.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, cast

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from inventory_service.problems import Invalid, Unavailable
from inventory_service.sandbox_process import ALLOWED_FILTERS, ALLOWED_TESTS, OWN_TESTS, READY, make_environment

_Kind = TypeVar("_Kind", bound=nodes.Node)

LONGEST = 4000
"""Characters of an expression."""
MEMORY_BYTES = 512 << 20
PROCESSES = 2
_START_SECONDS = 30.0
_BATCH = 200
_PROGRAM = Path(__file__).with_name("sandbox_process.py")
_TESTS = (*ALLOWED_TESTS, *OWN_TESTS)
_SYNTAX = 'a boolean Jinja2 expression without {{ }}, such as: cpus >= 16 and "gpu" in tags'


class Answer(NamedTuple):
    """Whether a document matches; with ``error`` it does not, and that is why."""

    matches: bool
    error: str | None = None


@lru_cache(maxsize=256)
def _parse(expression: str) -> nodes.Expr:
    parser = Parser(make_environment(), expression, state="variable")
    parsed = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("there is something after the expression's end", 1)
    return parsed


def _all(parsed: nodes.Expr, kind: type[_Kind]) -> Iterator[_Kind]:
    if isinstance(parsed, kind):
        yield parsed
    yield from parsed.find_all(kind)


def check(expression: str, field: str = "expression") -> None:
    """Refuse what is no expression. Nothing is evaluated here, and no process is started.

    :param field: how errors call it
    :raises Invalid: too long, not Jinja2, or with a filter or test that is not available
    """
    if not expression.strip() or len(expression) > LONGEST:
        raise Invalid(field, expression[:100], f"an expression has 1 to {LONGEST} characters", _SYNTAX)
    try:
        parsed = _parse(expression)
    except RecursionError:
        raise Invalid(field, expression, "it is nested too deeply", _SYNTAX) from None
    except (TemplateError, ValueError) as error:
        raise Invalid(field, expression, f"it is no expression: {error}", _SYNTAX) from None
    _need_known(field, expression, "filter", [one.name for one in _all(parsed, nodes.Filter)], ALLOWED_FILTERS)
    _need_known(field, expression, "test", [one.name for one in _all(parsed, nodes.Test)], _TESTS)


def _need_known(field: str, expression: str, what: str, used: list[str], known: Sequence[str]) -> None:
    for name in used:
        if name not in known:
            raise Invalid(field, expression, f"there is no {what} {name!r}", known)


def names(expression: str) -> frozenset[str]:
    """The names at the top of the documents that a checked expression uses; no more need be sent."""
    return frozenset(one.name for one in _all(_parse(expression), nodes.Name)) - {"range"}


class _Process:
    """One process, spawned, not forked: nothing of the service's memory is in it."""

    def __init__(self, memory_bytes: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", str(_PROGRAM), str(os.getpid()), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={},
            cwd="/",
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: str, seconds: float) -> str | None:
        """Its answer; None when it has died, or did not answer in time and was killed."""
        to, of = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        try:
            if question:
                to.write(question + "\n")
                to.flush()
            line = of.readline()
        except (OSError, ValueError):
            line = ""
        finally:
            watchdog.cancel()
            watchdog.join()
        return line if line.endswith("\n") else None

    def close(self) -> None:
        """End it, and leave no zombie and no pipe."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was written last may not have reached a process that was killed
                    pipe.close()


class Sandbox:
    """A few processes, started when first needed, used again, replaced when they died or had to be killed."""

    def __init__(self, processes: int = PROCESSES, memory_bytes: int = MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._places = threading.BoundedSemaphore(processes)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        # A process dies with the thread that started it (PR_SET_PDEATHSIG), so one thread that stays starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox")

    def evaluate(
        self, expression: str, documents: Sequence[Mapping[str, Any]], seconds: float, field: str = "expression"
    ) -> list[Answer]:
        """Whether each document matches. Never inside a transaction: it may take all of its time.

        :param documents: plain JSON; a null in them is as good as missing
        :param seconds: for all of the documents; those that it did not come to have that as their error
        :raises Invalid: it is no expression
        :raises Unavailable: others' expressions used up the time, or no process can be started
        """
        check(expression, field)
        used = names(expression)
        answers: list[Answer] = []
        left = seconds
        with self._place(seconds):
            while len(answers) < len(documents):
                part = documents[len(answers) : len(answers) + _BATCH]
                narrowed = [{name: one[name] for name in used if name in one} for one in part]
                question = json.dumps({"expression": expression, "seconds": seconds, "documents": narrowed})
                answered, left = self._ask(question, left)
                if answered is None:
                    why = f"it takes longer than {seconds:g} s" if left <= 0 else "the process that evaluated it died"
                    answers += [Answer(False, why)] * len(part)
                else:
                    answers += [Answer(one is True, one if isinstance(one, str) else None) for one in answered]
        return answers

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()
        self._starter.shutdown()

    @contextmanager
    def _place(self, seconds: float) -> Iterator[None]:
        if not self._places.acquire(timeout=seconds):
            raise Unavailable("other expressions are being evaluated: try again", retry_after=2)
        try:
            yield
        finally:
            self._places.release()

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive():
                    return process
                process.close()
        process = self._starter.submit(_Process, self._memory_bytes).result()
        if process.ask("", _START_SECONDS) != READY + "\n":
            process.close()
            raise Unavailable("the process that evaluates expressions does not start: see the service's log")
        return process

    def _ask(self, question: str, left: float) -> tuple[list[bool | str] | None, float]:
        """The answer, once more by another process if one dies by itself; and the seconds that are left after it."""
        for _attempt in range(2):
            if left <= 0:
                break
            process = self._take()
            began = time.monotonic()
            line = process.ask(question, left)
            left -= time.monotonic() - began
            if line is None or not process.alive():
                process.close()
            else:
                with self._lock:
                    self._idle.append(process)
            if line is not None:
                answered: list[bool | str] = json.loads(line)
                return answered, left
        return None, left
