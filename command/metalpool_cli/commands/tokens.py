"""API tokens: made, listed, revoked."""

from __future__ import annotations

import os

import click

from metalpool_cli import output
from metalpool_cli.errors import Failure
from metalpool_cli.lazy import Group, examples
from metalpool_cli.output import moment, until
from metalpool_cli.session import Session, pass_session

_COLUMNS: tuple[output.Column, ...] = (
    ("ID", "id"),
    ("NAME", "name"),
    ("USER", "user"),
    ("SCOPE", "scope"),
    ("HINT", "hint"),
    ("ENDS", lambda one: "revoked" if one["revoked_at"] else until(one["expires_at"])),
    ("LAST USED", lambda one: moment(one["last_used_at"])),
)


@click.group(cls=Group)
def token() -> None:
    """API tokens, yours; an administrator's are everybody's."""


@token.command("list")
@pass_session
def list_tokens(session: Session) -> None:
    """List them, the oldest first, the revoked ones too."""
    session.show_list(_COLUMNS, session.api.items("/tokens"), "There is none.")


@token.command(
    epilog=examples(
        "metalpool token create --name laptop --output ~/.config/metalpool/token",
        "metalpool token create --name pipeline --scope allocate --expires-at 2027-01-31T00:00:00Z --output ci.token",
    )
)
@click.option("--name", default="", help="What it is for.")
@click.option("--scope", help="read, allocate, operate or admin; what it may do at most.")
@click.option("--expires-at", metavar="TIME", help="When it ends; not given, when it is revoked.")
@click.option("--user", "user_name", help="Whose, for an administrator.")
@click.option("--rack", help="The rack that its worker works for.")
@click.option("--output", "path", metavar="FILE", required=True, help="A new file that it is written to, for your eyes only; - prints it.")
@pass_session
def create(
    session: Session, name: str, scope: str | None, expires_at: str | None, user_name: str | None, rack: str | None, path: str
) -> None:
    """Make a token. The service does not keep it and never shows it again."""
    said = {"name": name, "scope": scope, "expires_at": expires_at, "user": user_name, "rack": rack}
    # The file comes first: a token that could not be written would be lost, and yet open doors.
    file = None if path == "-" else _new_file(path)
    try:
        one = session.api.post("/tokens", {key: value for key, value in said.items() if value}).json
    except BaseException:
        if file is not None:
            os.close(file)
            os.unlink(os.path.expanduser(path))
        raise
    secret = one.pop("token")
    if file is None:
        output.say(secret)
        return
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(f"{secret}\n")
    session.show(one, lambda: output.say(f"token {one['id']} of {one['user']} is in {path}"))


@token.command()
@click.argument("token_id", type=int)
@pass_session
def revoke(session: Session, token_id: int) -> None:
    """Revoke a token: from now on it opens nothing."""
    session.api.delete(f"/tokens/{token_id}")
    session.note(f"token {token_id} is revoked")


def _new_file(path: str) -> int:
    try:
        return os.open(os.path.expanduser(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(f"cannot write the token to {path}: {error.strerror}; no token was made") from error
