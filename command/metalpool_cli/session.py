"""What a command works with: the service that was chosen, and how to show what it answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

import click

from metalpool_cli import output
from metalpool_cli.api import Api
from metalpool_cli.settings import Settings, resolve

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE_SECONDS = 15.0


@dataclass
class Session:
    """One run of the command.

    :param options: the connection's settings as options gave them
    :param json: show documents of the API instead of tables
    :param quiet: show no progress
    """

    options: dict[str, str | None] = field(default_factory=dict)
    patience: float = PATIENCE_SECONDS
    json: bool = False
    quiet: bool = False

    @cached_property
    def settings(self) -> Settings:
        """What is in force."""
        return resolve(self.options, os.environ)

    @cached_property
    def api(self) -> Api:
        """The service, as whoever the token belongs to."""
        return self.connect(self.settings.token)

    def connect(self, token: str | None) -> Api:
        """The service, with this token or without any."""
        # Loaded here, so that --help and completion start without it.
        from metalpool_cli.transport import Transport

        transport = Transport(self.settings.ca_file)
        return Api(self.settings.url, transport.send, token, self.patience, self.note)

    def note(self, sentence: str) -> None:
        """Tell people something beside the result."""
        output.say(f"metalpool: {sentence}", err=True)

    def confirm(self, question: str) -> None:
        """Ask whether to go on, on a terminal; a script is taken at its word."""
        if sys.stdin.isatty():
            click.confirm(f"{question} Go on?", abort=True, err=True)

    def show(self, document: Any, in_words: Callable[[], None]) -> None:
        """The document, or what people read instead."""
        if self.json:
            output.show_json(document)
        else:
            in_words()

    def show_list(self, columns: Sequence[output.Column], items: Iterable[Any], nothing: str) -> None:
        """A whole list; as JSON in the shape of the API, whose parts are put together."""
        found = list(items)
        self.show({"items": found, "next": None}, lambda: output.show_table(columns, found, nothing))


pass_session = cast(Callable[[F], F], click.make_pass_decorator(Session))
"""Gives a command's function the session as its first argument."""
