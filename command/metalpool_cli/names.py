"""Completion of names in the shell: asked of the service, and silent when it does not answer at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from metalpool_cli.session import Session

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
SHOWN = 200


def names_of(path: str) -> Any:
    """An argument's ``shell_complete``: the names that a list of the API has."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        session = context.find_object(Session) or Session()
        session.patience = 0
        try:
            found = session.api.get(path, limit=SHOWN)["items"]
        except Exception:  # noqa: BLE001  whatever is wrong: a shell that completes is no place to say so
            return []
        return [one["name"] for one in found if one["name"].startswith(begun)]

    return complete
