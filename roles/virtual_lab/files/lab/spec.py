"""What a lab consists of: the user's short list of nodes, checked and completed with computed defaults.

Everything that is derived (MAC addresses, serial numbers, UUIDs) comes from a hash of the node's name, so that it does
not change when the list is reordered. What must be unique in the lab (the BMC's address, the tap's name) comes from the
node's slot, which `lab.json` remembers.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

NAME = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")
IMAGE_SAFE = re.compile(r"^[A-Za-z0-9._-]{1,20}$")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
FIRMWARES = ("bios", "uefi")
BUSES = {"nvme": ("nvme",), "ssd": ("sata", "scsi", "virtio"), "hdd": ("sata", "scsi", "virtio")}
NIC_MODELS = ("virtio-net-pci", "e1000e", "e1000", "rtl8139", "vmxnet3")
# Rotation rates as SCSI VPD page B1h and ATA word 217 give them: 1 = no rotating medium, else turns per minute.
ROTATION_RATES = {"nvme": 1, "ssd": 1, "hdd": 7200}
MAX_SLOT = 89


class SpecError(Exception):
    """The list of nodes cannot be used; the message names the field, the value and what is allowed."""


@dataclass
class Disk:
    """One disk. `size_bytes` is in bytes; `path` is the raw file, relative to the node's directory."""

    path: str
    size_bytes: int
    kind: str
    bus: str
    serial: str
    wwn: int
    rotation_rate: int


@dataclass
class Interface:
    """One network interface; `tap` is the name of its tap device inside the lab's namespace."""

    model: str
    mac: str
    tap: str


@dataclass
class Bmc:
    """The simulated BMC; `kcs_port` is where QEMU finds it on the namespace's loopback. The password is kept apart."""

    address: str
    netmask: str
    gateway: str
    port: int
    mac: str
    username: str
    kcs_port: int


@dataclass
class Node:
    """One virtual server, complete."""

    name: str
    slot: int
    memory_mib: int
    cpus: int
    firmware: str
    vendor: str
    product: str
    serial: str
    uuid: str
    in_band_bmc: bool
    disks: list[Disk] = field(default_factory=list)
    interfaces: list[Interface] = field(default_factory=list)
    bmc: Bmc | None = None

    def document(self) -> dict[str, Any]:
        """Returns the node as plain data for JSON; it holds nothing secret."""
        return asdict(self)


def node_from_document(document: dict[str, Any]) -> Node:
    """Returns the node that `Node.document` described."""
    values = dict(document)
    values["disks"] = [Disk(**disk) for disk in document["disks"]]
    values["interfaces"] = [Interface(**interface) for interface in document["interfaces"]]
    values["bmc"] = Bmc(**document["bmc"])
    return Node(**values)


def size_in_bytes(text: Any, where: str) -> int:
    """Returns a size such as `6G`, `6GiB` or `6144M` in bytes (binary units, as the rest of Metalpool reads them)."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    size = int(match.group(1)) * UNITS[match.group(2).upper()] if match else 0
    if size <= 0:
        raise SpecError(f"{where}: {text!r} is not a size; write a positive number with K, M, G or T, such as 6G")
    return size


def derived(node: str, what: str, digits: int) -> str:
    """Returns hexadecimal digits that are always the same for this node and this use."""
    return hashlib.sha256(f"metalpool-lab/{node}/{what}".encode()).hexdigest()[:digits]


def derived_mac(node: str, what: str) -> str:
    """Returns a MAC address in QEMU's range 52:54:00, derived from the node's name."""
    digits = derived(node, what, 6)
    return ":".join(["52:54:00", digits[0:2], digits[2:4], digits[4:6]])


def choice(value: Any, allowed: tuple[str, ...], where: str) -> str:
    """Returns `value` when it is allowed."""
    if value not in allowed:
        raise SpecError(f"{where}: {value!r} is not allowed; write one of {', '.join(allowed)}")
    return str(value)


def whole(value: Any, low: int, high: int, where: str) -> int:
    """Returns a whole number between `low` and `high`."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        raise SpecError(f"{where}: {value!r} is not allowed; write a whole number from {low} to {high}")
    return number


def only_known(entry: Any, known: tuple[str, ...], where: str) -> dict[str, Any]:
    """Returns `entry` when it is a mapping without unknown keys; a misspelt key would otherwise go unnoticed."""
    if not isinstance(entry, dict):
        raise SpecError(f"{where}: {entry!r} is not a mapping; write keys out of {', '.join(known)}")
    for key in entry:
        if key not in known:
            raise SpecError(f"{where}.{key}: unknown; allowed are {', '.join(known)}")
    return entry


def complete_disk(node: str, number: int, entry: Any, where: str) -> Disk:
    """Returns disk `number` of a node, completed."""
    entry = only_known(entry, ("size", "kind", "bus", "serial"), where)
    kind = choice(entry.get("kind", "ssd"), tuple(BUSES), f"{where}.kind")
    bus = choice(entry.get("bus") or BUSES[kind][0], BUSES[kind], f"{where}.bus")
    serial = str(entry.get("serial") or f"MP{derived(node, f'disk{number}', 10)}".upper())
    if not IMAGE_SAFE.match(serial):
        raise SpecError(f"{where}.serial: {serial!r} is not allowed; write 1 to 20 letters, digits, dots or dashes")
    # 5 = NAA IEEE registered, then QEMU's company identifier 52:54:00.
    wwn = int("5525400" + derived(node, f"wwn{number}", 9), 16)
    size = size_in_bytes(entry.get("size", "6G"), f"{where}.size")
    return Disk(f"disk{number}.raw", size, kind, bus, serial, wwn, ROTATION_RATES[kind])


def complete_interface(node: str, number: int, entry: Any, slot: int, where: str) -> Interface:
    """Returns interface `number` of a node, completed."""
    entry = only_known(entry, ("model", "mac"), where)
    model = choice(entry.get("model", NIC_MODELS[0]), NIC_MODELS, f"{where}.model")
    mac = str(entry.get("mac") or derived_mac(node, f"interface{number}")).lower()
    if not MAC.match(mac) or int(mac[:2], 16) & 1:
        raise SpecError(f"{where}.mac: {mac!r} is not allowed; write a unicast address such as 52:54:00:12:34:56")
    return Interface(model, mac, f"mp{slot}n{number}")


def complete_bmc(node: str, entry: Any, slot: int, network: dict[str, Any], where: str) -> tuple[Bmc, str]:
    """Returns the BMC of a node, completed, and its factory password."""
    entry = only_known(entry, ("username", "password", "address", "port", "mac"), where)
    username = str(entry.get("username", "admin"))
    password = str(entry.get("password") or f"factory-{node}"[:16])
    for key, value, limit in (("username", username, 15), ("password", password, 16)):
        if not 1 <= len(value) <= limit or re.search(r'["\\\s]', value):
            raise SpecError(f"{where}.{key}: must have 1 to {limit} characters and no quotes, backslashes or spaces")
    lan = ipaddress.ip_network(network["bmc_network"])
    address = ipaddress.ip_address(entry.get("address") or str(lan[10 + slot]))
    if address not in lan or address == lan[1]:
        raise SpecError(f"{where}.address: {address} is not allowed; write one of {lan} other than {lan[1]}")
    port = whole(entry.get("port", 623), 1, 65535, f"{where}.port")
    mac = str(entry.get("mac") or derived_mac(node, "bmc")).lower()
    bmc = Bmc(str(address), str(lan.netmask), str(lan[1]), port, mac, username, 9000 + slot)
    return bmc, password


NODE_KEYS = ("name", "state", "memory", "cpus", "firmware", "disks", "interfaces", "serial", "uuid", "vendor",
             "product", "in_band_bmc", "bmc")


def complete_node(entry: dict[str, Any], slot: int, network: dict[str, Any], where: str) -> tuple[Node, str]:
    """Returns a node of the user's list, completed, and its BMC's factory password."""
    only_known(entry, NODE_KEYS, where)
    name = entry["name"]
    memory = size_in_bytes(entry.get("memory", "1G"), f"{where}.memory")
    identifier = str(entry.get("uuid") or uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.lab.metalpool"))
    try:
        identifier = str(uuid.UUID(identifier))
    except ValueError:
        raise SpecError(f"{where}.uuid: {identifier!r} is not a UUID") from None
    bmc, password = complete_bmc(name, entry.get("bmc") or {}, slot, network, f"{where}.bmc")
    texts = {"vendor": "Metalpool", "product": "Virtual Lab Server",
             "serial": f"MPL{derived(name, 'serial', 8)}".upper()}
    for key in texts:
        texts[key] = str(entry.get(key) or texts[key])
        if not re.fullmatch(r"[A-Za-z0-9 ._-]{1,40}", texts[key]):
            raise SpecError(f"{where}.{key}: {texts[key]!r} is not allowed; use up to 40 letters, digits, spaces, ._-")
    node = Node(name=name, slot=slot, memory_mib=max(256, memory // 2**20),
                cpus=whole(entry.get("cpus", 1), 1, 64, f"{where}.cpus"),
                firmware=choice(entry.get("firmware", "uefi"), FIRMWARES, f"{where}.firmware"),
                uuid=identifier, in_band_bmc=bool(entry.get("in_band_bmc", True)), bmc=bmc,
                vendor=texts["vendor"], product=texts["product"], serial=texts["serial"])
    for number, disk in enumerate(entry.get("disks") or [{}]):
        node.disks.append(complete_disk(name, number, disk, f"{where}.disks[{number}]"))
    for number, interface in enumerate(entry.get("interfaces") or [{}]):
        node.interfaces.append(complete_interface(name, number, interface, slot, f"{where}.interfaces[{number}]"))
    return node, password


def names_of(entries: list[Any]) -> list[str]:
    """Returns the names of all entries of the list; they must be there, be usable as a host name and be unique."""
    names: list[str] = []
    for number, entry in enumerate(entries):
        where = f"virtual_lab_nodes[{number}].name"
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not NAME.match(name):
            raise SpecError(f"{where}: {name!r} is not allowed; write lower-case letters, digits, dashes")
        if name in names:
            raise SpecError(f"{where}: {name!r} stands in the list twice; give every node its own name")
        names.append(name)
    return names


def assign_slots(names: list[str], known: dict[str, int]) -> dict[str, int]:
    """Returns a slot for each name: the one it had, else its place in the list, else the lowest that is free."""
    slots = {name: known[name] for name in names if name in known}
    taken = set(known.values())
    for place, name in enumerate(names, start=1):
        if name in slots:
            continue
        slot = place if place not in taken else next(n for n in range(1, MAX_SLOT + 2) if n not in taken)
        if slot > MAX_SLOT:
            raise SpecError(f"virtual_lab_nodes: a lab holds at most {MAX_SLOT} nodes; take another network for more")
        slots[name] = slot
        taken.add(slot)
    return slots


def complete(entries: list[Any], known: dict[str, int],
             network: dict[str, Any]) -> tuple[list[tuple[Node, str]], list[str]]:
    """Completes the user's list.

    Args:
        entries: `virtual_lab_nodes` as the user wrote it.
        known: the slots of the nodes that are there already, by name.
        network: the lab's network settings (see `network.py`).

    Returns:
        The nodes that should be there, each with its BMC's factory password, and the names of those that should not.
    """
    names = names_of(entries)
    absent = [name for name, entry in zip(names, entries, strict=True) if entry.get("state", "present") == "absent"]
    for number, entry in enumerate(entries):
        choice(entry.get("state", "present"), ("present", "absent"), f"virtual_lab_nodes[{number}].state")
    slots = assign_slots(names, known)
    nodes = [complete_node(entry, slots[name], network, f"virtual_lab_nodes[{number}]")
             for number, (name, entry) in enumerate(zip(names, entries, strict=True)) if name not in absent]
    seen: dict[str, str] = {}
    for node, _password in nodes:
        for interface in node.interfaces:
            if interface.mac in seen:
                raise SpecError(f"{node.name}: MAC address {interface.mac} belongs to {seen[interface.mac]} already")
            seen[interface.mac] = node.name
    return nodes, absent
