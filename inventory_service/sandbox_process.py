"""The process that evaluates expressions: ``sandbox.py`` runs this file as a program of its own.

It holds no secrets, no database, no environment, opens nothing once it has started, and dies with the service. One line
of JSON asks (``expression``, ``documents``, ``seconds``), one line answers (for each document true, false, or why not).
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jinja2.debug
from jinja2 import ChainableUndefined
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.tests import TESTS

ALLOWED_FILTERS = (
    "abs", "attr", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "replace", "reverse", "round", "select", "selectattr", "slice", "sort", "string", "sum", "title", "trim",
    "unique", "upper",
)  # fmt: skip
ALLOWED_TESTS = (
    "!=", "<", "<=", "==", ">", ">=", "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false",
    "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt",
    "mapping", "ne", "none", "number", "odd", "sequence", "string", "true", "undefined", "upper",
)  # fmt: skip
OWN_TESTS = ("contains", "match", "search")

READY = "ready"
_LOADED_EARLY = (jinja2.debug,)
"""jinja2 imports it when something fails, and then no file can be opened any more."""
_WARM_UP = r"('\n' ~ 'é') is match('x') or [1] | map('upper') | sort | length > 'a'"
"""Makes Python load what it loads late, such as codecs: once the process is shut in it can open no file."""
_PR_SET_PDEATHSIG = 1
_NOBODY = 65534
_LONGEST_REPEAT = 100_000
_LARGEST_POWER = 10_000
_LONGEST_REASON = 300


class Missing(ChainableUndefined):
    """A fact that a node has not: nothing follows from it, so every comparison with it is false."""

    __slots__ = ()
    __hash__ = ChainableUndefined.__hash__

    def _no(self, *_: object) -> bool:
        return False

    def _missing(self, *_: object, **_named: object) -> Missing:
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _no  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _missing  # type: ignore[assignment]
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _missing  # type: ignore[assignment]
    __neg__ = __pos__ = __call__ = _missing  # type: ignore[assignment]


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's immutable sandbox with few filters, and without what makes a short expression long work."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse repeats and powers that nobody needs to choose a server."""
        if operator == "%" and isinstance(left, (str, bytes)):
            raise SecurityError("formatting is not available; use ~ to join texts")
        if operator == "**" and any(isinstance(one, (int, float)) and abs(one) > _LARGEST_POWER for one in (left, right)):
            raise SecurityError(f"powers go up to {_LARGEST_POWER}")
        if operator == "*":
            for sequence, times in ((left, right), (right, left)):
                repeats = isinstance(sequence, (str, bytes, list, tuple)) and isinstance(times, int)
                if repeats and len(sequence) * times > _LONGEST_REPEAT:
                    raise SecurityError(f"repeats go up to {_LONGEST_REPEAT} items")
        return super().call_binop(context, operator, left, right)


def _number(name: str) -> Callable[..., Any]:
    def convert(value: Any, *more: Any, **named: Any) -> Any:
        return value if isinstance(value, Missing) else FILTERS[name](value, *more, **named)

    return convert


def make_environment() -> Environment:
    """The environment, with nothing in it but what the tables above name."""
    environment = Environment(undefined=Missing, loader=None, autoescape=False)
    environment.globals = {"range": safe_range}
    environment.filters = {name: FILTERS[name] for name in ALLOWED_FILTERS}
    environment.filters.update({name: _number(name) for name in ("int", "float")})
    environment.tests = {name: TESTS[name] for name in ALLOWED_TESTS}
    environment.tests.update(
        {
            "contains": lambda value, item: item in value,
            "match": lambda value, pattern: isinstance(value, str) and re.match(pattern, value) is not None,
            "search": lambda value, pattern: isinstance(value, str) and re.search(pattern, value) is not None,
        }
    )
    return environment


_ENVIRONMENT = make_environment()


@lru_cache(maxsize=64)
def _compiled(expression: str) -> Callable[..., Any]:
    return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def _one(expression: str, document: dict[str, Any]) -> bool | str:
    try:
        return bool(_compiled(expression)(**document))
    except MemoryError:
        return "it takes too much memory"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the expression's
        return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]


def answer(line: str) -> str:
    """The answer to one line."""
    asked = json.loads(line, object_hook=_without_nulls)
    _limit_cpu(asked["seconds"])
    return json.dumps([_one(asked["expression"], document) for document in asked["documents"]])


def _limit_cpu(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _shut_in(parent: int, memory_bytes: int) -> None:
    """Give up what an expression must never get at, and die with the service."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the service has ended")
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(nothing, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def main() -> None:
    """Answer until the service closes the pipe."""
    _one(_WARM_UP, {})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shut_in(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(answer(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
