"""Nodes as records: added by hand, changed, deleted, looked up. What happens to the machine is an operation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Load, Session

from inventory_service import clock
from inventory_service.addresses import free
from inventory_service.annotations import merged
from inventory_service.auth import Caller, check_name
from inventory_service.config import Settings
from inventory_service.constraints import parse_arch, parse_tags
from inventory_service.events import record
from inventory_service.models import Allocation, Bmc, DiskTag, Interface, InterfaceTag, Node, NodeTag, Pool
from inventory_service.offers import offer_node, offer_user
from inventory_service.places import ensure_pool, ensure_zone, find_rack
from inventory_service.problems import Conflict, Forbidden, Invalid, NotFound
from inventory_service.rights import OPERATE, may, need, visible, visible_pools
from inventory_service.states import advance
from inventory_service.tags import check_by_hand, ensure_tags, rules_due
from inventory_service.vault import Vault
from inventory_service.wiring import check_free, set_by_hand

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_PLACEHOLDERS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
)
"""UUIDs that many machines share because their maker set none (SMBIOS 3.7, section 7.2.1, and a common default)."""
_ADMINISTRATORS = ("bmc", "interfaces", "rack", "uuid", "weak_boot_token")
"""What a pool's operator may not change: by it a worker would send a BMC's password, or a boot, to another machine."""
_DELETABLE = ("new", "ready", "failed_commissioning", "failed_testing", "broken", "retired")


def whole_node(path: Load | None = None) -> tuple[Load, ...]:
    """Loader options for a node with what belongs to it, so that it can be changed.

    :param path: what leads to the node from another table
    """
    at = path or Load(Node)
    return (
        at.joinedload(Node.zone),
        at.joinedload(Node.pool),
        at.joinedload(Node.rack),
        at.joinedload(Node.bmc),
        at.selectinload(Node.tags),
        at.selectinload(Node.interfaces),
        at.selectinload(Node.disks),
    )


def find_node(session: Session, name: str) -> Node:
    """The node of that name, whole.

    :raises NotFound: there is none
    """
    node = session.scalar(select(Node).where(Node.name == name).options(*whole_node()))
    if node is None:
        raise NotFound("node", name)
    return node


def find_visible_node(session: Session, caller: Caller, name: str, *, whole: bool = True) -> Node:
    """The node of that name when the caller may see it.

    :param whole: with everything that belongs to it, so that it can be changed
    :raises NotFound: there is none for this caller
    """
    query = select(Node).where(Node.name == name, *visible(session, caller))
    node = session.scalar(query.options(*whole_node()) if whole else query)
    if node is None:
        raise NotFound("node", name)
    return node


def normal_mac(field: str, mac: str) -> str:
    """A MAC address as the service keeps it: small letters, colons.

    :raises Invalid: it is none
    """
    text = mac.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(text):
        raise Invalid(field, mac, f"{mac!r} is not a MAC address", "six bytes in hex, such as 52:54:00:12:34:56")
    return text


def find_interface(session: Session, mac: str) -> Interface:
    """The interface with a MAC address that a request names.

    :raises Invalid: it is none, or no node has it
    """
    found = session.scalar(select(Interface).where(Interface.mac == normal_mac("interface", mac)))
    if found is None:
        raise Invalid("interface", mac, "no node has an interface with this MAC address")
    return found


def normal_uuid(field: str, uuid: str | None) -> str | None:
    """An SMBIOS UUID as the service keeps it: small letters; None where a maker left a placeholder.

    :raises Invalid: it is none
    """
    text = (uuid or "").strip().lower()
    if not text or text in _PLACEHOLDERS:
        return None
    if not _UUID.fullmatch(text):
        raise Invalid(field, uuid, f"{uuid!r} is not a UUID", "such as 12345678-1234-5678-9abc-123456789abc")
    return text


def set_tags(session: Session, node: Node, tags: list[str], actor: str) -> None:
    """Give the node exactly these tags, and those that expressions gave it: they are not for people to take.

    :raises Invalid: a word that is no name, or a tag that an expression defines
    """
    wanted = set(parse_tags("tags", tags)) if tags else set()
    new = sorted(wanted - {one.tag for one in node.tags})
    for tag in new:
        check_name("tags", tag)
    check_by_hand(session, new)
    ensure_tags(session, new, actor)
    node.tags = [one for one in node.tags if one.by_rule or one.tag in wanted] + [NodeTag(tag=tag) for tag in new]


def set_interfaces(session: Session, node: Node, said: Sequence[Mapping[str, Any]]) -> None:
    """Give the node exactly these interfaces; of one that it has, what is not said stays.

    :param said: mac, and name, vlan, subnet, tags as far as they are to be set
    :raises Invalid: no MAC address, VLAN, subnet or tag
    """
    known = {one.mac: one for one in node.interfaces}
    wanted: dict[str, Interface] = {}
    for index, one in enumerate(said):
        field = f"interfaces.{index}"
        mac = normal_mac(f"{field}.mac", one["mac"])
        if mac in wanted:
            raise Invalid(f"{field}.mac", one["mac"], "this interface stands in the list already")
        wanted[mac] = interface = known.get(mac) or Interface(mac=mac, lldp=None, tags=[])
        interface.name = one.get("name") or interface.name
        set_by_hand(session, node, interface, field, one)
        if "tags" in one:
            if mac in known:
                session.refresh(interface, ["tags"])
            _set_part_tags(node, interface, InterfaceTag, f"{field}.tags", one["tags"])
    gone = [interface for mac, interface in known.items() if mac not in wanted]
    if gone:
        check_free(session, gone)
    node.interfaces = list(wanted.values())


def set_disk_tags(session: Session, node: Node, said: Sequence[Mapping[str, Any]]) -> None:
    """Set the tags of disks, each known by its serial number or its name."""
    for index, one in enumerate(said):
        disk = next((disk for disk in node.disks if one["disk"] in (disk.serial, disk.name)), None)
        if disk is None:
            known = [disk.serial or disk.name for disk in node.disks]
            raise Invalid(f"disks.{index}.disk", one["disk"], f"node {node.name} has no such disk", known)
        session.refresh(disk, ["tags"])
        _set_part_tags(node, disk, DiskTag, f"disks.{index}.tags", one["tags"])


def _set_part_tags(node: Node, part: Any, kind: type[Any], field: str, tags: list[str]) -> None:
    """Give an interface or a disk exactly these tags."""
    before = {one.tag: one for one in part.tags}
    wanted = sorted({check_name(field, tag) for tag in (parse_tags(field, tags) if tags else [])})
    if wanted != sorted(before):
        part.tags = [before.get(tag) or kind(tag=tag) for tag in wanted]
        node.hardware_version += 1


def set_bmc(node: Node, vault: Vault, values: dict[str, Any]) -> None:
    """Set how the BMC is reached; a password is encrypted here, and None keeps the one there is."""
    bmc = node.bmc or Bmc(kind="ipmi", address="", port=623)
    bmc.kind = values.get("kind") or bmc.kind
    bmc.address = values.get("address") or bmc.address
    bmc.port = values.get("port") or bmc.port
    bmc.username = values["username"] if values.get("username") is not None else bmc.username
    if values.get("password") is not None:
        bmc.password = vault.encrypt(values["password"])
    if node.bmc is None:
        node.bmc = bmc


def add_node(session: Session, settings: Settings, vault: Vault, values: dict[str, Any], actor: str) -> Node:
    """Add a node by hand. It is ``new``, and nothing on the machine is touched before it is commissioned.

    :raises Conflict: its name, UUID or one of its MAC addresses is another node's
    """
    now = clock.now()
    macs = [normal_mac(f"interfaces.{index}.mac", one["mac"]) for index, one in enumerate(values["interfaces"])]
    node = Node(
        name=check_name("name", values["name"]),
        state="new",
        uuid=normal_uuid("uuid", values.get("uuid")),
        serial=values.get("serial"),
        zone_id=ensure_zone(session, values.get("zone") or settings.default_zone).id,
        pool_id=ensure_pool(session, values.get("pool") or settings.default_pool).id,
        rack_id=find_rack(session, values.get("rack") or settings.default_rack).id,
        arch=parse_arch("arch", values["arch"]),
        firmware=values.get("firmware"),
        vendor=values.get("vendor"),
        product=values.get("product"),
        comment=values.get("comment") or "",
        annotations=merged({}, values.get("annotations") or {}),
        weak_boot_token=bool(values.get("weak_boot_token")),
        idle_since=now,
        created_at=now,
        updated_at=now,
        bmc=None,
        tags=[],
        disks=[],
        interfaces=[Interface(mac=mac, name=None, lldp=None, tags=[]) for mac in macs],
    )
    set_tags(session, node, values.get("tags") or [], actor)
    if values.get("bmc"):
        set_bmc(node, vault, values["bmc"])
    session.add(node)
    rules_due(session, node)
    _flush_unique(session, node)
    set_interfaces(session, node, values["interfaces"])
    record(session, "node.added", actor, node=node, macs=macs)
    return find_node(session, node.name)


def _flush_unique(session: Session, node: Node) -> None:
    name, uuid = node.name, node.uuid
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"node {name!r}: its name, its UUID ({uuid}) or one of its MAC addresses is another node's already",
            field="name",
            value=name,
        ) from error


def check_change(session: Session, caller: Caller, node: Node, values: dict[str, Any]) -> None:
    """Whether the caller may change these values: whoever operates the pool may, save what leads to other machines.

    :raises Forbidden: the caller may not
    """
    need(session, caller, OPERATE, node)
    only = sorted(values.keys() & set(_ADMINISTRATORS))
    if only and not caller.is_admin:
        raise Forbidden(f"{', '.join(only)} of a node is for administrators", field=only[0])
    if "pool" in values and not caller.is_admin:
        pool = session.scalar(select(Pool).where(Pool.name == values["pool"], *visible_pools(session, caller)))
        if pool is None:
            raise Invalid("pool", values["pool"], f"there is no pool {values['pool']!r} for you")
        if not may(session, caller, OPERATE, pool.id):
            raise Forbidden(f"you do not operate pool {pool.name}, and could not bring the node back", field="pool")


def change_node(session: Session, vault: Vault, node: Node, values: dict[str, Any], actor: str) -> None:
    """Change what a person may change; ``values`` holds only what is to change.

    :raises Invalid: a value that the node cannot have
    :raises Conflict: another node has that name or MAC address
    """
    for name in ("comment", "locked", "weak_boot_token", "serial", "firmware", "vendor", "product"):
        if name in values:
            setattr(node, name, values[name])
    if "name" in values:
        node.name = check_name("name", values["name"])
    if "arch" in values:
        node.arch = parse_arch("arch", values["arch"])
    if "uuid" in values:
        node.uuid = normal_uuid("uuid", values["uuid"])
    if "zone" in values:
        node.zone = ensure_zone(session, values["zone"])
    if "pool" in values:
        node.pool = ensure_pool(session, values["pool"])
    if "rack" in values:
        node.rack = find_rack(session, values["rack"])
    if "tags" in values:
        set_tags(session, node, values["tags"], actor)
    if "root_disk" in values:
        _set_root_disk(node, values["root_disk"])
    if "bmc" in values:
        if values["bmc"] is None:
            node.bmc = None
        else:
            set_bmc(node, vault, values["bmc"])
    if "annotations" in values:
        node.annotations = merged(node.annotations, values["annotations"])
    if "interfaces" in values:
        with session.no_autoflush:
            set_interfaces(session, node, values["interfaces"])
    if "disks" in values:
        set_disk_tags(session, node, values["disks"])
    node.updated_at = clock.now()
    rules_due(session, node)
    _flush_unique(session, node)
    record(session, "node.changed", actor, node=node, changed=sorted(values))
    if node.state == "ready":
        offer_node(session, node.id)


def _set_root_disk(node: Node, serial: str | None) -> None:
    serials = [disk.serial for disk in node.disks if disk.serial]
    if serial is not None and serial not in serials:
        raise Invalid("root_disk", serial, f"node {node.name} has no disk with the serial {serial!r}", serials)
    node.root_disk = serial


def delete_node(session: Session, node: Node, actor: str) -> None:
    """Forget a node that nobody holds and on which nothing is under way."""
    if node.state not in _DELETABLE:
        raise Conflict(
            f"node {node.name} is {node.state}: release it first",
            field="state",
            value=node.state,
            allowed=list(_DELETABLE),
        )
    record(session, "node.deleted", actor, node=node, name=node.name, uuid=node.uuid, serial=node.serial)
    session.flush()
    session.delete(node)


def take_out(session: Session, node: Node, verb: str, comment: str, actor: str) -> None:
    """Take a node out of use (``set_aside`` or ``retire``), with the reason; an allocation that cannot end ends."""
    advance(session, node, verb, actor, reason=comment)
    node.comment = comment or node.comment
    held = session.scalar(select(Allocation).where(Allocation.node_id == node.id, Allocation.state != "released"))
    if held is not None:
        held.state = "released"
        free(session, held, node, actor)
        held.released_at = clock.now()
        held.reason = f"the node was taken out: {comment}"
        held.credentials = None
        held.due_at = None
        offer_user(session, held.user_id)
