"""The commands of whatever has a name in the API: list, show, set, delete. Each kind is a row of a table, none has code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.lazy import Group, examples
from metalpool_cli.names import names_of
from metalpool_cli.session import Session, pass_session


@dataclass(frozen=True)
class Member:
    """What can be set of a record.

    :param name: as the API calls it; the option is called the same, in the singular when several may be given
    :param kind: type of its value
    :param option: the option's name where it is another
    """

    name: str
    help: str = ""
    kind: Any = str
    several: bool = False
    option: str = ""

    def as_option(self) -> click.Option:
        """The option; for a yes or no, a pair of them."""
        word = (self.option or self.name).replace("_", "-")
        flag = f"--{word}/--no-{word}" if self.kind is bool else f"--{word}"
        return click.Option(
            [flag, self.name], type=self.kind, multiple=self.several, default=() if self.several else None, help=self.help
        )


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    :param one: what one is called
    :param path: its list below /api/v1
    :param columns: what the list shows
    :param members: what ``set`` can set; without any there is no such command
    :param example: words for ``set``
    """

    one: str
    path: str
    columns: Sequence[output.Column]
    members: Sequence[Member] = ()
    example: str = ""
    deletes: bool = True


def group_of(kind: Kind) -> Group:
    """The group with the commands of one kind."""
    found = Group(kind.one, help=f"Records of the kind {kind.one}.")
    name = click.Argument(["name"], shell_complete=names_of(kind.path))
    found.add_command(_listing(kind))
    found.add_command(_showing(kind, name))
    if kind.members:
        found.add_command(_setting(kind, name))
    if kind.deletes:
        found.add_command(_deleting(kind, name))
    return found


def _path(kind: Kind, name: str) -> str:
    return f"{kind.path}/{segment(name)}"


def _listing(kind: Kind) -> click.Command:
    @pass_session
    def run(session: Session) -> None:
        session.show_list(kind.columns, session.api.items(kind.path), f"There is no {kind.one}.")

    return Group.command_class("list", callback=run, help="List them, by name.", epilog=examples(f"metalpool {kind.one} list"))


def _showing(kind: Kind, argument: click.Argument) -> click.Command:
    @pass_session
    def run(session: Session, name: str) -> None:
        _show(session, session.api.get(_path(kind, name)))

    return Group.command_class("show", callback=run, params=[argument], help="Show one.")


def _setting(kind: Kind, argument: click.Argument) -> click.Command:
    @pass_session
    def run(session: Session, name: str, **given: Any) -> None:
        said = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value not in (None, ())}
        # An empty word takes a value away.
        _show(session, session.api.put(_path(kind, name), {key: None if value == "" else value for key, value in said.items()}))

    return Group.command_class(
        "set",
        callback=run,
        params=[argument, *(member.as_option() for member in kind.members)],
        help="Make one, or change the one of that name. What is left out stays; an empty value ('') is taken away.",
        epilog=examples(f"metalpool {kind.one} set {kind.example}"),
    )


def _deleting(kind: Kind, argument: click.Argument) -> click.Command:
    @pass_session
    def run(session: Session, name: str) -> None:
        session.api.delete(_path(kind, name))
        session.note(f"{kind.one} {name} is gone")

    return Group.command_class("delete", callback=run, params=[argument], help="Delete one.")


def _show(session: Session, document: Document) -> None:
    session.show(document, lambda: output.show_pairs(document.items()))
