"""Terms that filter a list, and how it is sorted: the API's own language, passed on as it was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def filter_options(command: F) -> F:
    """Give a command terms and ``--sort``; a term with ``-`` before it goes behind ``--``, or is written with ``!=``."""
    command = click.option("--sort", metavar="KEYS", help="What to sort by, - before a key for the greatest first: -mem,name")(command)
    return click.argument("terms", nargs=-1, metavar="[TERM]...")(command)


def joined(terms: tuple[str, ...]) -> str:
    """The terms as one filter: all have to be met."""
    return " ".join(terms)
