"""Places, networks, pools, tags, images and groups: the table of records that have a name."""

from __future__ import annotations

import click

from metalpool_cli.output import size
from metalpool_cli.records import Kind, Member, group_of

_DESCRIPTION = Member("description", "A remark for people.")
_NAMED = (("NAME", "name"), ("DESCRIPTION", "description"))

zone = group_of(Kind("zone", "/zones", _NAMED, (_DESCRIPTION,), "row-1 --description 'hall 2, first row'"))
fabric = group_of(Kind("fabric", "/fabrics", _NAMED, (_DESCRIPTION,), "lab"))
space = group_of(Kind("space", "/spaces", _NAMED, (_DESCRIPTION,), "inner"))
vlan = group_of(
    Kind(
        "vlan",
        "/vlans",
        (("NAME", "name"), ("FABRIC", "fabric"), ("VID", "vid"), ("MTU", "mtu"), ("SPACE", "space")),
        (Member("fabric"), Member("vid", kind=int), Member("mtu", kind=int), Member("space"), _DESCRIPTION),
        "storage --fabric lab --vid 120",
    )
)
subnet = group_of(
    Kind(
        "subnet",
        "/subnets",
        (("NAME", "name"), ("CIDR", "cidr"), ("VLAN", "vlan"), ("GATEWAY", "gateway"), ("ASSIGNS", "assign")),
        (
            Member("cidr"),
            Member("vlan"),
            Member("gateway"),
            Member("dns_servers", several=True, option="dns_server"),
            Member("assign", "Whether nodes get a fixed address.", bool),
            _DESCRIPTION,
        ),
        "servers4 --vlan storage --cidr 10.0.7.0/24 --assign",
    )
)
pool = group_of(
    Kind(
        "pool",
        "/pools",
        (
            ("NAME", "name"),
            ("DEFAULT ROLE", "default_role"),
            ("LEASE AT MOST", lambda one: one["lease_max_seconds"] and f"{one['lease_max_seconds']} s"),
            ("DESCRIPTION", "description"),
        ),
        (
            _DESCRIPTION,
            Member("default_role", "Role of those who were granted none.", click.Choice(["none", "viewer", "user"])),
            Member("auto_accept", "Take over machines that enlist.", bool),
            Member("lease_required", "Insist on a lease.", bool),
            Member("lease_default_seconds", kind=int),
            Member("lease_max_seconds", kind=int),
            Member("lease_total_seconds", kind=int),
            Member("lease_notice_seconds", kind=int),
            Member("lease_grace_seconds", kind=int),
            Member("erase_methods", "Methods that may be used, strongest first.", several=True, option="erase_method"),
            Member("wait_in_ephemeral", "Let ready nodes wait in the ephemeral OS.", bool),
        ),
        "gpu --default-role none --lease-max-seconds 604800",
    )
)
tag = group_of(
    Kind(
        "tag",
        "/tags",
        (("NAME", "name"), ("NODES", "nodes"), ("EXPRESSION", "expression"), ("ERROR", "error"), ("DESCRIPTION", "description")),
        (Member("expression", "Nodes for which it is true have the tag."), _DESCRIPTION),
        "epyc --expression \"facts.cpu.model is search('EPYC')\"",
    )
)
people_group = group_of(
    Kind(
        "group",
        "/groups",
        (("NAME", "name"), ("MEMBERS", "members"), ("DESCRIPTION", "description")),
        (_DESCRIPTION, Member("members", "All of its members.", several=True, option="member")),
        "web --member kim --member lee",
    )
)
image = group_of(
    Kind(
        "image",
        "/images",
        (
            ("NAME", "name"),
            ("OS", "os"),
            ("VERSION", "version"),
            ("ARCH", "arch"),
            ("BOOT", "boot"),
            ("DISK", lambda one: size(one["disk_bytes"])),
            ("USER", "default_user"),
        ),
    )
)
