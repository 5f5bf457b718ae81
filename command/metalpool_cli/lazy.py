"""Groups and commands: loaded when they are used, each with --json, --quiet and examples."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click

from metalpool_cli.session import Session


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).json = True


def _set_quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).quiet = True


def examples(*lines: str) -> str:
    """Lines for the end of a command's help, which click leaves as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Command(click.Command):
    """A command that takes ``--json`` and ``--quiet`` like all others."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        common = (("--json", _set_json, "Show documents of the API."), ("--quiet", _set_quiet, "Show no progress."))
        for word, callback, about in common:
            self.params.append(click.Option([word], is_flag=True, expose_value=False, callback=callback, help=about))


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


class Entry(NamedTuple):
    """Where a command is: the section of the help, ``file:name`` below ``commands``, one line about it."""

    section: str
    place: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands stand in a table and are loaded one by one.

    :param table: entries by the names of the commands
    """

    def __init__(self, *args: Any, table: Mapping[str, Entry], **more: Any) -> None:
        super().__init__(*args, **more)
        self.table = table

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in self.table:
            return None
        file, attribute = self.table[name].place.split(":")
        found = getattr(import_module(f"metalpool_cli.commands.{file}"), attribute)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(entry.section for entry in self.table.values()):
            with formatter.section(section):
                formatter.write_dl([(name, one.help) for name, one in self.table.items() if one.section == section])
