"""``image register``, beside what images have in common with other records."""

from __future__ import annotations

from typing import Any

import click

from metalpool_cli import output
from metalpool_cli.commands.catalogue import image
from metalpool_cli.lazy import examples
from metalpool_cli.session import Session, pass_session


@image.command(
    epilog=examples(
        "metalpool image register debian-12 --os debian --version 12 --arch amd64 --boot bios --boot uefi \\",
        "    --url /images/debian-12.raw.zst --sha256 9f86d0... --size-bytes 301989888 --disk-bytes 2147483648 \\",
        "    --default-user debian",
    )
)
@click.argument("name")
@click.option("--os", "os", required=True, help="Operating system: debian.")
@click.option("--version", required=True, help="Its version: 12.")
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), required=True)
@click.option("--boot", type=click.Choice(["bios", "uefi"]), multiple=True, required=True, help="Firmware that can boot it.")
@click.option("--url", required=True, help="Where nodes fetch it; a path is the rack's.")
@click.option("--sha256", required=True, help="Of the compressed file.")
@click.option("--size-bytes", type=int, required=True, help="Size of the compressed file.")
@click.option("--disk-bytes", type=int, required=True, help="Size on the disk.")
@click.option("--default-user", required=True, help="User to log in as.")
@pass_session
def register(session: Session, **given: Any) -> None:
    """Register an image whose file is in its place, or bring the one of that name up to date."""
    document = session.api.post("/images", given | {"boot": list(given["boot"])}).json
    session.show(document, lambda: output.show_pairs(document.items()))
