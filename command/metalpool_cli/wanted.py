"""What a node must have or be, as options. The user's words are passed on as they are; the service alone reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Word(NamedTuple):
    """One word of a request.

    :param several: whether the option may be given several times; the words are then joined by commas
    """

    name: str
    help: str
    several: bool = True


CONSTRAINTS = (
    Word("mem", "Memory: 32G (at least), 32G..64G, ..64G", False),
    Word("cpus", "CPU threads: 16, 8..32", False),
    Word("cpu_speed", "Clock rate: 2400 (MHz), 2.4GHz", False),
    Word("gpus", "GPUs: 1.., ..4", False),
    Word("numa", "NUMA nodes: 2", False),
    Word("arch", "Any of these architectures: amd64, arm64"),
    Word("not_arch", "None of these."),
    Word("firmware", "Boots by it: uefi or bios"),
    Word("tpm", "TPM: 2.0, any, none"),
    Word("power", "Power state now: on, off"),
    Word("link_speed", "An interface of this speed: 10G, 10G..25G", False),
    Word("tag", "All of these tags: ssd,ten-gigabit"),
    Word("not_tag", "None of these tags."),
    Word("zone", "Any of these zones."),
    Word("not_zone", "None of these zones."),
    Word("pool", "Any of these pools."),
    Word("not_pool", "None of these pools."),
    Word("node", "Any of these nodes."),
    Word("not_node", "None of these nodes."),
    Word("fabric", "An interface on any of these fabrics."),
    Word("not_fabric", "No interface on these."),
    Word("vlan", "An interface on any of these VLANs, by number or name."),
    Word("not_vlan", "No interface on these."),
    Word("subnet", "An interface on any of these subnets, by name or CIDR."),
    Word("not_subnet", "No interface on these."),
    Word("space", "An interface in any of these spaces."),
    Word("disks", "A disk for each entry: '1T nvme, 4 x hdd 2T..'"),
    Word("interfaces", "An interface for each entry: 'subnet=lab 10G'"),
    Word("devices", "A device for each entry: '2 x gpu model=A100'"),
    Word("where", "An expression over its facts: \"facts.cpu.model is search('EPYC')\"", False),
)
BESIDES = (
    Word("prefer", "What ranks and excludes nothing: 'zone=row-4, mem=64G..'"),
    Word("not_with", "None of the nodes of these allocations or sets of yours."),
    Word("spread", "In different ones of these: zone, rack, pool, fabric"),
)


def wanted_options(command: F) -> F:
    """Give a command the options of all the words."""
    for word in reversed((*CONSTRAINTS, *BESIDES)):
        option = click.option(f"--{word.name.replace('_', '-')}", word.name, help=word.help, multiple=word.several, metavar="WORDS")
        command = option(command)
    return click.option(
        "--constraint", "constraint", multiple=True, metavar="WORD=VALUE", help="Any other constraint that the service knows."
    )(command)


def wanted(given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a request that says what the node must have or be."""
    constraints = pairs(given["constraint"], "--constraint") | _said(CONSTRAINTS, given)
    return {"constraints": constraints, **_said(BESIDES, given)}


def pairs(words: tuple[str, ...], option: str) -> dict[str, str]:
    """KEY=VALUE words as a mapping."""
    found = {}
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair or not key:
            raise click.UsageError(f"{option} {word!r}: write it as KEY=VALUE")
        found[key] = value
    return found


def _said(words: tuple[Word, ...], given: Mapping[str, Any]) -> dict[str, str]:
    values = {word.name: ", ".join(given[word.name]) if word.several else given[word.name] for word in words}
    return {name: value for name, value in values.items() if value}
