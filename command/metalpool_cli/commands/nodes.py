"""Nodes: list, add, take over, look into, set aside."""

from __future__ import annotations

from typing import IO, Any

import click

from metalpool_cli import output
from metalpool_cli.api import Document, segment
from metalpool_cli.errors import Failure
from metalpool_cli.filters import filter_options, joined
from metalpool_cli.follow import follow_operation
from metalpool_cli.lazy import Command, Group, examples
from metalpool_cli.names import names_of
from metalpool_cli.output import moment, seconds, size
from metalpool_cli.progress import failure
from metalpool_cli.session import Session, pass_session
from metalpool_cli.wanted import pairs

_NAME = click.argument("name", shell_complete=names_of("/nodes"))
_COLUMNS: tuple[output.Column, ...] = (
    ("NAME", "name"),
    ("STATE", lambda one: one["state"] + (" (locked)" if one["locked"] else "")),
    ("POWER", "power_state"),
    ("OWNER", "owner"),
    ("CPUS", "cpus"),
    ("MEMORY", lambda one: size(one["memory_bytes"])),
    ("STORAGE", lambda one: size(one["storage_bytes"])),
    ("ZONE", "zone"),
    ("POOL", "pool"),
    ("TAGS", lambda one: one["tags"] or None),
)


@click.group(cls=Group)
def node() -> None:
    """Physical servers."""


@click.command(
    "list", cls=Command, epilog=examples("metalpool nodes state=ready 'mem>=64G' --sort -mem,name", "metalpool nodes tag:gpu tag!=noisy")
)
@filter_options
@pass_session
def list_nodes(session: Session, terms: tuple[str, ...], sort: str | None) -> None:
    """List nodes, by name. TERMs filter them."""
    session.show_list(_COLUMNS, session.api.items("/nodes", limit=1000, filter=joined(terms), sort=sort), "There is no such node.")


node.add_command(list_nodes)


@node.command()
@_NAME
@pass_session
def show(session: Session, name: str) -> None:
    """Show one node with its hardware."""
    one = session.api.get(f"/nodes/{segment(name)}")
    session.show(one, lambda: _in_words(one))


@node.command(
    epilog=examples(
        "metalpool node add r1u07 --mac 52:54:00:12:34:56 --bmc 10.0.9.7 --bmc-user admin --zone a   # asks for the password",
        "metalpool node add r1u08 --mac 52:54:00:12:34:57 --bmc 10.0.9.8 --bmc-user admin --bmc-password-file r1u08.password",
    )
)
@click.argument("name")
@click.option("--mac", "macs", multiple=True, required=True, help="MAC address that it may boot from.")
@click.option("--bmc", metavar="ADDRESS", help="Address of its BMC.")
@click.option("--bmc-port", type=int)
@click.option("--bmc-user", help="Account on the BMC; its password is asked for.")
@click.option("--bmc-password-file", type=click.File("r"), help="File that the password is in, instead.")
@click.option("--arch", default="amd64", show_default=True)
@click.option("--firmware", type=click.Choice(["bios", "uefi"]))
@click.option("--zone")
@click.option("--pool")
@click.option("--rack")
@click.option("--tag", "tags", multiple=True)
@click.option("--comment", default="")
@pass_session
def add(
    session: Session,
    macs: tuple[str, ...],
    tags: tuple[str, ...],
    bmc: str | None,
    bmc_port: int | None,
    bmc_user: str | None,
    bmc_password_file: IO[str] | None,
    **given: Any,
) -> None:
    """Add a node by hand; it stays untouched until it is commissioned."""
    asked = {key: value for key, value in given.items() if value} | {"interfaces": [{"mac": mac} for mac in macs], "tags": list(tags)}
    if bmc:
        account: Document = {"address": bmc} | ({"port": bmc_port} if bmc_port else {})
        if bmc_user:
            account |= {"username": bmc_user, "password": _password(bmc_user, bmc, bmc_password_file)}
        asked["bmc"] = account
    one = session.api.post("/nodes", asked).json
    session.show(one, lambda: output.say(f"{one['name']} is {one['state']}: metalpool commission {one['name']}"))


@node.command("set", epilog=examples("metalpool node set r1u07 --zone b --tag ssd --tag gpu", "metalpool node set r1u07 --locked"))
@_NAME
@click.option("--rename", "new_name", help="Another name.")
@click.option("--zone")
@click.option("--pool")
@click.option("--rack")
@click.option("--tag", "tags", multiple=True, help="All of its tags.")
@click.option("--comment")
@click.option("--root-disk", metavar="SERIAL")
@click.option("--locked/--unlocked", "locked", default=None, help="Keep it from being released, redeployed or removed.")
@click.option("--annotation", multiple=True, metavar="KEY=VALUE", help="An empty value takes it away.")
@pass_session
def change(session: Session, name: str, new_name: str | None, tags: tuple[str, ...], annotation: tuple[str, ...], **given: Any) -> None:
    """Change what people say of a node."""
    asked = {key: value for key, value in given.items() if value is not None}
    asked |= {"name": new_name} if new_name else {}
    asked |= {"tags": list(tags)} if tags else {}
    asked |= {"annotations": {key: value or None for key, value in pairs(annotation, "--annotation").items()}} if annotation else {}
    one = session.api.patch(f"/nodes/{segment(name)}", asked)
    session.show(one, lambda: _in_words(one))


@node.command()
@_NAME
@pass_session
def delete(session: Session, name: str) -> None:
    """Forget a node that nobody holds; the machine is not touched."""
    session.api.delete(f"/nodes/{segment(name)}")
    session.note(f"node {name} is forgotten")


@click.command(cls=Command, epilog=examples("metalpool commission r1u07 r1u08"))
@click.argument("names", nargs=-1, required=True, shell_complete=names_of("/nodes"))
@click.option("--wait/--no-wait", default=True, help="Wait until they are ready.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="Wait so long at most; the work goes on.")
@pass_session
def commission(session: Session, names: tuple[str, ...], wait: bool, wait_timeout: float | None) -> None:
    """Take nodes over: BMC account, hardware inventory, tests. A new node is accepted by it."""
    begun = [session.api.post(f"/nodes/{segment(name)}/operations", {"kind": "commission"}).json for name in names]
    if wait:
        begun = [follow_operation(session, one["id"], "", wait_timeout) for one in begun]
    session.show({"items": begun}, lambda: output.show_lines(f"{one['node']}: commission {one['state']}" for one in begun))
    wrong = [one for one in begun if one["state"] in ("failed", "cancelled")]
    if wrong:
        raise Failure(failure(wrong[0]), wrong[0])


node.add_command(commission)


def _state_command(name: str, verb: str, about: str) -> None:
    @node.command(name, help=about)
    @_NAME
    @click.option("--comment", required=True, help="Why.")
    @pass_session
    def run(session: Session, name: str, comment: str) -> None:
        one = session.api.post(f"/nodes/{segment(name)}/state", {"verb": verb, "comment": comment}).json
        session.show(one, lambda: output.say(f"{one['name']} is {one['state']}"))


_state_command("set-aside", "set_aside", "Take a node out of use: it is broken.")
_state_command("mark-fixed", "mark_fixed", "Say that a broken node is fixed.")
_state_command("retire", "retire", "Take a node out of use for good.")


@node.command()
@_NAME
@pass_session
def facts(session: Session, name: str) -> None:
    """The hardware inventory of the last commissioning, as JSON."""
    output.show_json(session.api.get(f"/nodes/{segment(name)}/facts"))


@node.command()
@_NAME
@pass_session
def erasures(session: Session, name: str) -> None:
    """How and when its disks were erased, the newest first."""
    columns: tuple[output.Column, ...] = (
        ("WHEN", lambda one: moment(one["recorded_at"])),
        ("SERIAL", "serial"),
        ("METHOD", "method"),
        ("VERIFIED", "verified"),
        ("TIME", lambda one: seconds(one["seconds"]) or None),
        ("DETAIL", "detail"),
    )
    session.show_list(columns, session.api.items(f"/nodes/{segment(name)}/erasures"), "Nothing was erased yet.")


@node.command()
@_NAME
@pass_session
def failures(session: Session, name: str) -> None:
    """What failed on it, the newest first."""
    columns: tuple[output.Column, ...] = (
        ("WHEN", lambda one: moment(one["at"])),
        ("KIND", "kind"),
        ("FORGIVEN", "forgiven"),
        ("OPERATION", "operation"),
        ("REASON", "reason"),
    )
    session.show_list(columns, session.api.items(f"/nodes/{segment(name)}/failures"), "Nothing has failed.")


def _password(user: str, bmc: str, file: IO[str] | None) -> str:
    """From a file or asked for: an argument would show it to everybody on this host."""
    if file is not None:
        return file.read().rstrip("\n")
    password: str = click.prompt(f"Password of {user} on the BMC {bmc}", hide_input=True, err=True)
    return password


def _part(part: Document, *members: str) -> str:
    """One disk or interface in a line; what is not known of it is left out."""
    said = {**part, "size_bytes": size(part.get("size_bytes")), "speed_mbps": part.get("speed_mbps") and f"{part['speed_mbps']} Mbit/s"}
    return "  ".join(output.text(said[member]) for member in members if said[member])


def _in_words(one: Document) -> None:
    simple = ("state", "reason", "power_state", "owner", "allocation", "zone", "pool", "rack", "tags", "arch", "firmware", "cpus")
    bmc = one["bmc"]
    output.show_pairs(
        (
            ("name", one["name"]),
            *((key.replace("_", " "), one[key]) for key in simple),
            ("memory", size(one["memory_bytes"])),
            ("vendor", one["vendor"]),
            ("product", one["product"]),
            ("serial", one["serial"]),
            ("gpus", one["gpus"] or None),
            ("tpm", one["tpm"]),
            ("locked", one["locked"] or None),
            ("bmc", bmc and f"{bmc['kind']} at {bmc['address']}:{bmc['port']}"),
            ("comment", one["comment"]),
            ("annotations", one["annotations"]),
            ("operation", one["operation"]),
            ("disks", "\n".join(_part(disk, "name", "kind", "size_bytes", "model", "serial") for disk in one["disks"])),
            ("interfaces", "\n".join(_part(card, "name", "mac", "speed_mbps", "vlan", "addresses") for card in one["interfaces"])),
        )
    )
