"""The command ``inventory-service``."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import click

from inventory_service import __version__
from inventory_service.config import ENV_PREFIX, Settings, SettingsError, load


class _Group(click.Group):
    """Commands whose known errors are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        from inventory_service.problems import Problem
        from inventory_service.vault import VaultError

        try:
            return super().invoke(ctx)
        except Problem as problem:
            raise click.ClickException(problem.detail) from problem
        except (SettingsError, VaultError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML file with settings.")
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Metalpool's inventory service: the pool, the allocations, the operations, the REST API.

    Settings come from a TOML file (default /etc/metalpool/service.toml, or METALPOOL_CONFIG) and from METALPOOL_*.
    """
    if config is not None:
        os.environ[ENV_PREFIX + "CONFIG"] = str(config)
    context.obj = load()


@main.command()
@click.pass_obj
def init(settings: Settings) -> None:
    """Prepare the state directory: keys, CA and certificate, tables, the first administrator's token."""
    from inventory_service.setup import initialise

    for made in initialise(settings):
        click.echo(f"made: {made}")
    click.echo(f"ready: {settings.state_dir}")


@main.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve the API, the boot endpoints and the pages."""
    from inventory_service.serve import serve as run

    run(settings)


@main.command(hidden=True)
@click.pass_obj
def engine(settings: Settings) -> None:
    """The engine alone, on PostgreSQL; ``serve`` starts it, and starts it again when it ends."""
    from inventory_service.engine_process import run

    run(settings)


@main.command()
@click.pass_obj
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there instead of printing it."
)
def openapi(settings: Settings, output: Path | None) -> None:
    """Print the API's document (OpenAPI 3.1)."""
    from inventory_service.document import openapi_document

    text = openapi_document()
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@click.pass_obj
def db_upgrade(settings: Settings) -> None:
    """Bring the tables up to this version."""
    from inventory_service.db import newest_revision, upgrade

    upgrade(settings.database)
    click.echo(f"the database stands at revision {newest_revision()}")


@main.group()
def user() -> None:
    """Users."""


@user.command("add")
@click.argument("name")
@click.pass_obj
def user_add(settings: Settings, name: str) -> None:
    """Add a user; one that is there already stays as it is."""
    from inventory_service.auth import ensure_user
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        ensure_user(session, name, "cli")
    click.echo(f"user {name}")


@user.command("list")
@click.pass_obj
def user_list(settings: Settings) -> None:
    """List users."""
    from sqlalchemy import select

    from inventory_service.models import User
    from inventory_service.services import open_services

    with open_services(settings).database.read() as session:
        for name in session.scalars(select(User.name).order_by(User.name)):
            click.echo(name)


@user.command("set")
@click.argument("name")
@click.option("--administrator/--no-administrator", default=None, help="May do everything in all pools.")
@click.option("--disabled/--enabled", default=None, help="Nothing of the user lets anybody in.")
@click.pass_obj
def user_set(settings: Settings, name: str, administrator: bool | None, disabled: bool | None) -> None:
    """Change what a user is."""
    from inventory_service.people import change_user, find_user
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        change_user(session, find_user(session, name), "cli", administrator=administrator, disabled=disabled)
    click.echo(f"user {name}")


@user.command("password")
@click.argument("name")
@click.password_option(help="Better typed than given here.")
@click.pass_obj
def user_password(settings: Settings, name: str, password: str) -> None:
    """Set a user's password; where that user is signed in, it is signed out."""
    from inventory_service.passwords import hash_password, set_password
    from inventory_service.people import find_user
    from inventory_service.services import open_services

    argon2 = hash_password(name, password)
    with open_services(settings).database.write() as session:
        set_password(session, find_user(session, name), argon2, "cli")
    click.echo(f"user {name} has a new password")


@main.group()
def group() -> None:
    """Groups of users."""


@group.command("put")
@click.argument("name")
@click.option("--member", "members", multiple=True, help="A user who shall be in it; give it once for each.")
@click.pass_obj
def group_put(settings: Settings, name: str, members: tuple[str, ...]) -> None:
    """Make a group of these members, or give the one of that name these members."""
    from inventory_service.people import put_group
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        put_group(session, name, "cli", members=members)
    click.echo(f"group {name}: {', '.join(sorted(members)) or 'nobody'}")


@group.command("list")
@click.pass_obj
def group_list(settings: Settings) -> None:
    """List groups and who is in them."""
    from sqlalchemy import select
    from sqlalchemy.orm import selectinload

    from inventory_service.models import Group
    from inventory_service.services import open_services

    with open_services(settings).database.read() as session:
        for one in session.scalars(select(Group).options(selectinload(Group.members)).order_by(Group.name)):
            click.echo(f"{one.name}\t{', '.join(user.name for user in one.members)}")


@group.command("delete")
@click.argument("name")
@click.pass_obj
def group_delete(settings: Settings, name: str) -> None:
    """Forget a group and what was granted to it."""
    from inventory_service.people import delete_group, find_group
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        delete_group(session, find_group(session, name), "cli")
    click.echo(f"group {name} is gone")


@main.group()
def grant() -> None:
    """Roles of users and groups in pools."""


@grant.command("give")
@click.option("--role", type=click.Choice(["viewer", "user", "operator"]), required=True)
@click.option("--user", "user_name", help="To this user.")
@click.option("--group", "group_name", help="To this group.")
@click.option("--pool", help="In this pool; without it, in all.")
@click.pass_obj
def grant_give(
    settings: Settings, role: str, user_name: str | None, group_name: str | None, pool: str | None
) -> None:
    """Grant a role; it replaces what was granted to the same in the same place."""
    from inventory_service.people import put_grant
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        given = put_grant(session, "cli", role, user=user_name, group=group_name, pool=pool)
        click.echo(f"grant {given.id}")


@grant.command("list")
@click.pass_obj
def grant_list(settings: Settings) -> None:
    """List grants by their numbers."""
    from sqlalchemy import select

    from inventory_service.documents.people import grant_document
    from inventory_service.models import Grant
    from inventory_service.people import whole_grant
    from inventory_service.services import open_services

    with open_services(settings).database.read() as session:
        for one in map(grant_document, session.scalars(select(Grant).options(*whole_grant()).order_by(Grant.id))):
            whom = f"user {one['user']}" if one["user"] else f"group {one['group']}"
            click.echo(f"{one['id']}\t{one['role']}\t{whom}\t{'pool ' + one['pool'] if one['pool'] else 'all pools'}")


@grant.command("take")
@click.argument("number", type=int)
@click.pass_obj
def grant_take(settings: Settings, number: int) -> None:
    """Take the grant of that number away."""
    from inventory_service.people import delete_grant, find_grant
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        delete_grant(session, find_grant(session, number), "cli")
    click.echo(f"grant {number} is gone")


@main.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--user", "user_name", required=True, help="Whose token; the user is made when there is none.")
@click.option("--role", type=click.Choice(["admin", "user", "worker", "metrics"]), default="user", show_default=True)
@click.option("--name", default="", help="What it is for.")
@click.option(
    "--scope", type=click.Choice(["read", "allocate", "operate", "admin"]), default="admin", show_default=True,
    help="How much of what the user may do it may be used for.",
)
@click.option("--rack", help="For a worker's token: its rack, which is made when there is none.")
@click.option("--days", type=click.IntRange(min=1), help="How long it is valid; without it, until it is revoked.")
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File for the token (mode 0600)."
)
@click.pass_obj
def token_create(
    settings: Settings, user_name: str, role: str, name: str, scope: str, rack: str | None, days: int | None, output: Path
) -> None:
    """Make a token. It is written to a file and shown nowhere."""
    from inventory_service import clock
    from inventory_service.auth import ensure_rack, ensure_user
    from inventory_service.services import open_services
    from inventory_service.tokens import create_token
    from inventory_service.vault import write_secret

    with open_services(settings).database.write() as session:
        made, secret = create_token(
            session,
            ensure_user(session, user_name, "cli"),
            role,
            "cli",
            name=name,
            scope=scope,
            rack=ensure_rack(session, rack, "cli") if rack else None,
            expires_at=clock.now() + timedelta(days=days) if days else None,
        )
        write_secret(output, secret + "\n")
    click.echo(f"token {made.id} of {user_name} ({role}) is in {output}")


@token.command("list")
@click.pass_obj
def token_list(settings: Settings) -> None:
    """List tokens by their numbers; the tokens themselves are not kept."""
    from sqlalchemy import select

    from inventory_service.models import Token
    from inventory_service.services import open_services
    from inventory_service.tokens import whole_token

    with open_services(settings).database.read() as session:
        for one in session.scalars(select(Token).options(*whole_token()).order_by(Token.id)):
            state = "revoked" if one.revoked_at else "valid"
            used = f"{one.last_used_at:%Y-%m-%d %H:%M}Z" if one.last_used_at else "never"
            rack = f" rack {one.rack.name}" if one.rack else ""
            click.echo(
                f"{one.id}\t{one.user.name}\t{one.role}{rack}\t{one.scope}\t...{one.hint}\t{state}\tlast used {used}\t{one.name}"
            )


@token.command("revoke")
@click.argument("number", type=int)
@click.pass_obj
def token_revoke(settings: Settings, number: int) -> None:
    """Revoke the token of that number."""
    from inventory_service.services import open_services
    from inventory_service.tokens import find_token, revoke_token

    with open_services(settings).database.write() as session:
        revoke_token(session, find_token(session, None, number), "cli")
    click.echo(f"token {number} is revoked")


@main.group()
def inventory() -> None:
    """The whole inventory as one document of YAML."""


@inventory.command("export")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there instead of printing it.")
@click.pass_obj
def inventory_export(settings: Settings, output: Path | None) -> None:
    """Print places, networks, nodes and rights. No secrets."""
    from inventory_service.services import open_services
    from inventory_service.transfer.run import export_document
    from inventory_service.transfer.text import dump

    with open_services(settings).database.read() as session:
        text = dump(export_document(session))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@inventory.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--apply", is_flag=True, help="Do it. Without this, only tell what would change.")
@click.option("--prune", is_flag=True, help="Delete what the document does not name, of the kinds that it has.")
@click.pass_obj
def inventory_import(settings: Settings, file: BinaryIO, apply: bool, prune: bool) -> None:
    """Make the inventory what FILE says ("-" reads standard input)."""
    from inventory_service.services import open_services
    from inventory_service.transfer.run import import_document
    from inventory_service.transfer.text import load

    document, services = load(file.read()), open_services(settings)
    done = import_document(services, document, "cli", prune=prune, dry_run=not apply)
    for one in done["changes"]:
        fields = f" ({', '.join(one['fields'])})" if one["fields"] else ""
        click.echo(f"{one['change']}: {one['kind']} {one['key']}{fields}")
    for line in done["left_out"]:
        click.echo(f"left out: {line}")
    counts = ", ".join(f"{count} {change}" for change, count in done["counts"].items())
    click.echo(counts if apply else f"{counts}; nothing was changed: give --apply to do it")


@main.group()
def config() -> None:
    """Settings."""


@config.command("show")
@click.pass_obj
def config_show(settings: Settings) -> None:
    """Show the settings as they are in force, without secrets."""
    click.echo(json.dumps(settings.redacted(), indent=2))


@main.command(hidden=True)
@click.option("--nodes", default=1000, show_default=True, type=click.IntRange(min=1))
@click.pass_obj
def seed(settings: Settings, nodes: int) -> None:
    """Add made-up ready nodes, to try the service out at size. Never on a pool that is in use."""
    from inventory_service.seed import seed as add
    from inventory_service.services import open_services

    with open_services(settings).database.write() as session:
        add(session, settings.default_rack, nodes)
    click.echo(f"{nodes} nodes added")
