"""Users, roles, quotas, one's own keys, and who one is."""

from __future__ import annotations

from typing import Any

import click

from metalpool_cli import output
from metalpool_cli.api import segment
from metalpool_cli.errors import Misused
from metalpool_cli.keys import default_keys, read_keys
from metalpool_cli.lazy import Command, Group, examples
from metalpool_cli.output import moment, size
from metalpool_cli.records import Kind, group_of
from metalpool_cli.session import Session, pass_session

user = group_of(Kind("user", "/users", (("NAME", "name"), ("SINCE", lambda one: moment(one["created_at"]))), deletes=False))


@user.command("add", epilog=examples("metalpool user add kim"))
@click.argument("name")
@pass_session
def add_user(session: Session, name: str) -> None:
    """Add a user."""
    one = session.api.post("/users", {"name": name}).json
    session.show(one, lambda: output.say(f"{one['name']} is a user"))


@click.command(cls=Command, epilog=examples("metalpool whoami"))
@pass_session
def whoami(session: Session) -> None:
    """Whom the token belongs to, and the role in each pool."""
    one = session.api.get("/whoami")
    session.show(one, lambda: output.show_pairs(one.items()))


@click.group(cls=Group)
def key() -> None:
    """Your SSH keys: they are put on your machines when a request names none."""


@key.command("list")
@pass_session
def list_keys(session: Session) -> None:
    """List them."""
    columns: tuple[output.Column, ...] = (
        ("NAME", "name"),
        ("KEY", lambda one: " ".join(one["key"].split()[:1]) + " ..." + one["key"].split()[1][-16:]),
        ("SINCE", lambda one: moment(one["created_at"])),
    )
    session.show_list(columns, session.api.items("/ssh-keys"), "You have registered no key: metalpool key add")


@key.command("add", epilog=examples("metalpool key add", "metalpool key add --name laptop ~/.ssh/id_ed25519.pub"))
@click.argument("file", required=False)
@click.option("--name", help="What it is called; the key's comment by default.")
@pass_session
def add_key(session: Session, file: str | None, name: str | None) -> None:
    """Register the public keys of FILE; without FILE those in ~/.ssh."""
    keys = read_keys(file) if file else default_keys()
    if not keys:
        raise Misused("there is no public key in ~/.ssh; name a file, or make one with ssh-keygen")
    if name and len(keys) > 1:
        raise Misused(f"there are {len(keys)} keys, and one name: leave --name out")
    found = [session.api.post("/ssh-keys", {"key": one} | ({"name": name} if name else {})).json for one in keys]
    session.show({"items": found}, lambda: output.show_lines(f"{one['name']} is registered" for one in found))


@key.command("delete")
@click.argument("name")
@pass_session
def delete_key(session: Session, name: str) -> None:
    """Forget a key; systems that are installed keep it."""
    session.api.delete(f"/ssh-keys/{segment(name)}")
    session.note(f"key {name} is forgotten")


@click.group(cls=Group)
def grant() -> None:
    """Roles of users and groups in pools."""


@grant.command("list")
@click.option("--user", "user_name")
@click.option("--group")
@click.option("--pool")
@pass_session
def list_grants(session: Session, user_name: str | None, group: str | None, pool: str | None) -> None:
    """List what was granted."""
    columns = (("ID", "id"), ("USER", "user"), ("GROUP", "group"), ("POOL", lambda one: one["pool"] or "all"), ("ROLE", "role"))
    session.show_list(columns, session.api.items("/grants", user=user_name, group=group, pool=pool), "Nothing was granted.")


@grant.command("set", epilog=examples("metalpool grant set operator --user kim --pool gpu", "metalpool grant set viewer --group web"))
@click.argument("role")
@click.option("--user", "user_name")
@click.option("--group")
@click.option("--pool", help="All pools when it is left out.")
@pass_session
def set_grant(session: Session, role: str, user_name: str | None, group: str | None, pool: str | None) -> None:
    """Grant a role, instead of what the same user or group had there."""
    said = {"role": role, "user": user_name, "group": group, "pool": pool}
    one = session.api.put("/grants", {name: value for name, value in said.items() if value})
    session.show(one, lambda: output.show_pairs(one.items()))


@grant.command("delete")
@click.argument("grant_id", type=int)
@pass_session
def delete_grant(session: Session, grant_id: int) -> None:
    """Take a role away."""
    session.api.delete(f"/grants/{grant_id}")
    session.note(f"grant {grant_id} is gone")


@click.group(cls=Group)
def quota() -> None:
    """How much each user may hold of a pool."""


def _amount(one: Any, side: str, name: str) -> str:
    held = one[side]
    shown = [held and held[name], one["limit"][name]]
    used, limit = (size(value) if name == "memory_bytes" else value for value in shown) if held else (None, shown[1])
    return f"{used if used is not None else '-'} of {limit if limit is not None else 'any'}"


@quota.command("list")
@click.option("--user", "user_name", help="Whose; an administrator sees everybody's.")
@pass_session
def list_quotas(session: Session, user_name: str | None) -> None:
    """List quotas and what is used of them."""
    columns: tuple[output.Column, ...] = (
        ("POOL", "pool"),
        ("USER", lambda one: one["user"] or "everybody"),
        ("NODES", lambda one: _amount(one, "used", "nodes")),
        ("CPUS", lambda one: _amount(one, "used", "cpus")),
        ("MEMORY", lambda one: _amount(one, "used", "memory_bytes")),
    )
    session.show_list(columns, session.api.items("/quotas", user=user_name), "There is no quota for you.")


@quota.command("set", epilog=examples("metalpool quota set gpu --nodes 2", "metalpool quota set gpu kim --nodes 4"))
@click.argument("pool")
@click.argument("user_name", metavar="[USER]", required=False)
@click.option("--nodes", type=int)
@click.option("--cpus", type=int)
@click.option("--memory-bytes", type=int)
@pass_session
def set_quota(session: Session, pool: str, user_name: str | None, **given: int | None) -> None:
    """Set the quota of everybody, or of one user. What is left out is without a limit."""
    one = session.api.put(_quota_path(pool, user_name), given)
    session.show(one, lambda: output.show_pairs(one.items()))


@quota.command("delete")
@click.argument("pool")
@click.argument("user_name", metavar="[USER]", required=False)
@pass_session
def delete_quota(session: Session, pool: str, user_name: str | None) -> None:
    """Take a quota away."""
    session.api.delete(_quota_path(pool, user_name))
    session.note(f"the quota of {user_name or 'everybody'} for {pool} is gone")


def _quota_path(pool: str, user_name: str | None) -> str:
    return f"/quotas/{segment(pool)}" + (f"/{segment(user_name)}" if user_name else "")
