"""Log in to a node whose host key is known beforehand."""

from __future__ import annotations

import os
import shlex

import click

from metalpool_cli import known_hosts, output
from metalpool_cli.api import segment
from metalpool_cli.errors import Failure
from metalpool_cli.lazy import Command, examples
from metalpool_cli.names import names_of
from metalpool_cli.session import Session, pass_session


@click.command(
    cls=Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "metalpool ssh web1",
        "metalpool ssh web1 -- sudo systemctl status nginx",
        "metalpool ssh -o -L8080:localhost:80 web1",
        "rsync -e 'metalpool ssh' -a site/ web1:site/",
    ),
)
@click.option("--user", "-l", metavar="NAME", help="User to log in as; the one that was made by default.")
@click.option("--identity", "-i", metavar="FILE", help="Private key to log in with.")
@click.option("--option", "-o", "more", multiple=True, metavar="WORD", help="A word for ssh: -L8080:localhost:80")
@click.option("--print", "only_print", is_flag=True, help="Print the command for ssh and do not run it.")
@click.argument("name", shell_complete=names_of("/allocations"))
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def ssh(
    session: Session,
    user: str | None,
    identity: str | None,
    more: tuple[str, ...],
    only_print: bool,
    name: str,
    command: tuple[str, ...],
) -> None:
    """Log in to an allocation, or run a command there.

    ssh accepts the host keys that the installed system reported to the service, and no others: nobody is asked
    whether to trust one.
    """
    one = session.api.get(f"/allocations/{segment(name)}")
    path = known_hosts.write(one, os.environ)
    words = ["ssh", *known_hosts.ssh_options(path), "-l", user or one["ssh_user"], *(["-i", identity] if identity else []), *more]
    asked = command[1:] if command[:1] == ("--",) else command
    words += [one["address"], *(["--", *asked] if asked else [])]
    if session.json:
        session.show({"command": words, "known_hosts": path}, lambda: None)
    elif only_print:
        output.say(shlex.join(words))
    else:
        _become(words)


def _become(words: list[str]) -> None:
    try:
        os.execvp(words[0], words)  # noqa: S606  ssh takes over this process, its terminal and its exit code
    except OSError as error:
        raise Failure(f"cannot start ssh: {error}. Install an OpenSSH client.") from error
