"""The metalpool command: the one table of all commands, and how each run ends."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from metalpool_cli import __version__
from metalpool_cli.errors import EXIT_CODES, Failure
from metalpool_cli.lazy import Entry, LazyGroup
from metalpool_cli.output import say, show_json_line
from metalpool_cli.session import PATIENCE_SECONDS, Session

MACHINES, WORK, POOL, PEOPLE, SELF = "Machines", "Work", "The pool", "People", "This command"
COMMANDS = {
    "acquire": Entry(MACHINES, "acquire:acquire", "Acquire a node that fits, with an operating system on it."),
    "why": Entry(MACHINES, "why:why", "Explain a refusal, a failure, or what would be taken."),
    "list": Entry(MACHINES, "allocations:list_allocations", "List what you hold."),
    "show": Entry(MACHINES, "allocations:show", "Show an allocation or a set."),
    "ssh": Entry(MACHINES, "ssh:ssh", "Log in, with a verified host key."),
    "extend": Entry(MACHINES, "allocations:extend", "Hold it for longer."),
    "deploy": Entry(MACHINES, "acquire:deploy", "Install on what you hold: first, again, or after a failure."),
    "release": Entry(MACHINES, "release:release", "Give it back, erased."),
    "watch": Entry(WORK, "acquire:watch", "Watch an allocation until it is what it shall be."),
    "queue": Entry(WORK, "allocations:queue", "Who waits in line."),
    "operation": Entry(WORK, "operations:operation", "List, show, watch, cancel operations."),
    "log": Entry(WORK, "operations:log", "The log of an operation."),
    "events": Entry(WORK, "events:events", "Who, what, when and why."),
    "nodes": Entry(POOL, "nodes:list_nodes", "List nodes."),
    "node": Entry(POOL, "nodes:node", "Show, add, change, set aside nodes."),
    "commission": Entry(POOL, "nodes:commission", "Take nodes over, and accept new ones."),
    "image": Entry(POOL, "image:image", "Images that can be installed."),
    "pool": Entry(POOL, "catalogue:pool", "Pools and their policies."),
    "tag": Entry(POOL, "catalogue:tag", "Tags, also by expression."),
    "zone": Entry(POOL, "catalogue:zone", "Zones."),
    "fabric": Entry(POOL, "catalogue:fabric", "Fabrics."),
    "vlan": Entry(POOL, "catalogue:vlan", "VLANs."),
    "subnet": Entry(POOL, "catalogue:subnet", "Subnets."),
    "space": Entry(POOL, "catalogue:space", "Spaces."),
    "whoami": Entry(PEOPLE, "people:whoami", "Whom the token belongs to."),
    "key": Entry(PEOPLE, "people:key", "Your SSH keys."),
    "token": Entry(PEOPLE, "tokens:token", "API tokens."),
    "user": Entry(PEOPLE, "people:user", "Users."),
    "group": Entry(PEOPLE, "catalogue:people_group", "Groups of users."),
    "grant": Entry(PEOPLE, "people:grant", "Roles in pools."),
    "quota": Entry(PEOPLE, "people:quota", "How much each may hold."),
    "doctor": Entry(SELF, "client:doctor", "Check what the command needs, and how to mend it."),
    "config": Entry(SELF, "client:config", "Settings in force, and where they come from."),
    "completion": Entry(SELF, "client:completion", "Completion for bash, zsh and fish."),
}
_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())


@click.group(cls=LazyGroup, table=COMMANDS, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="metalpool")
@click.option("--url", metavar="URL", help="The service: https://pool.example:8443")
@click.option("--token-file", metavar="FILE", help="File with the API token.")
@click.option("--ca-file", metavar="FILE", help="CA certificate of the service.")
@click.option("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS", help="Try so long while the service is away: 15.")
@click.option("--json", "as_json", is_flag=True, help="Show documents of the API instead of tables.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_context
def cli(
    context: click.Context, url: str | None, token_file: str | None, ca_file: str | None, patience: float, as_json: bool, quiet: bool
) -> None:
    """Physical servers on tap.

    Where the service is stands in ~/.config/metalpool/config.toml (METALPOOL_PROFILE names another file): url,
    token_file, ca_file. METALPOOL_URL, METALPOOL_TOKEN_FILE, METALPOOL_TOKEN and METALPOOL_CA_FILE win over it, and
    options over both.
    """
    session = context.ensure_object(Session)
    session.options = {"url": url, "token_file": token_file, "ca_file": ca_file}
    session.patience, session.json, session.quiet = patience, as_json, quiet


def main() -> NoReturn:
    """Run the command; the process ends with a code of ``errors.EXIT_CODES``."""
    session = Session()
    try:
        code = cli.main(prog_name="metalpool", standalone_mode=False, obj=session)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort as error:
        interrupted = isinstance(error.__cause__, KeyboardInterrupt)
        say("metalpool: interrupted; what was asked for goes on" if interrupted else "metalpool: nothing was done", err=True)
        code = 130 if interrupted else 1
    except Failure as failure:
        _show(failure, session.json)
        code = failure.code
    sys.exit(code if isinstance(code, int) else 0)


def _show(failure: Failure, as_json: bool) -> None:
    """Say it in words; to a program that reads JSON, as the problem document."""
    if as_json:
        show_json_line(failure.document, err=True)
    else:
        say(f"metalpool: {failure}", err=True)


if __name__ == "__main__":
    main()
