"""The command itself: its settings, its health, completion."""

from __future__ import annotations

import os

import click

from metalpool_cli import output
from metalpool_cli.errors import PROFILE_EXAMPLE, Failure, Misused
from metalpool_cli.lazy import Command, examples
from metalpool_cli.session import Session, pass_session
from metalpool_cli.settings import profile_path

SHELLS = ("bash", "zsh", "fish")
_MARKS = {"ok": "ok", "warning": "WARNING", "failed": "FAILED"}


@click.command(cls=Command, epilog=examples("metalpool doctor", "metalpool doctor --json | jq '.checks[] | select(.result != \"ok\")'"))
@pass_session
def doctor(session: Session) -> None:
    """Check what the command needs, from the settings to SSH, and say how to mend what is wrong. Ends with 1 when something fails."""
    from metalpool_cli.checks import examine

    session.patience = 0
    found = []
    for check in examine(session):
        found.append(check._asdict())
        if not session.json:
            output.say(f"{_MARKS[check.result].ljust(8)} {check.name.ljust(12)} {check.detail}")
            if check.mend:
                output.say(f"{'':21} -> {check.mend}")
    wrong = [one for one in found if one["result"] == "failed"]
    if session.json:
        output.show_json({"checks": found})
    if wrong:
        raise Failure(f"{len(wrong)} of {len(found)} checks failed")


@click.command(cls=Command, epilog=examples("metalpool config", "METALPOOL_PROFILE=~/.config/metalpool/lab.toml metalpool config"))
@pass_session
def config(session: Session) -> None:
    """Show the settings in force and where each comes from. The token itself is never shown."""
    path = profile_path(os.environ)
    document: dict[str, str | None] = {"profile": path, "profile_exists": str(os.path.isfile(path)).lower()}
    try:
        settings = session.settings
    except Misused as wrong:
        session.show(document, lambda: output.show_pairs(document.items()))
        raise Misused(f"{wrong}\n{PROFILE_EXAMPLE}") from wrong
    document |= {"url": settings.url, "url_from": settings.url_source}
    for key in ("ca_file", "token_file", "token"):
        source = settings.source_of(key)
        used = source is not None and not (key == "token_file" and settings.source_of("token", key) is not source)
        if source is not None and used:
            document |= {key: "(not shown)" if key == "token" else source.values[key], f"{key}_from": source.name}
    session.show(document, lambda: output.show_pairs(document.items()))


@click.command(
    cls=Command,
    epilog=examples(
        'eval "$(metalpool completion bash)"      # in ~/.bashrc',
        'eval "$(metalpool completion zsh)"       # in ~/.zshrc',
        "metalpool completion fish > ~/.config/fish/completions/metalpool.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and names."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"there is no completion for {shell}")
    output.say(kind(context.find_root().command, {}, "metalpool", "_METALPOOL_COMPLETE").source())
