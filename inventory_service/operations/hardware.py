"""From the facts document of a commissioning to the columns and rows that constraints use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from inventory_service import root_disk
from inventory_service.constraints import ARCHITECTURES
from inventory_service.cost import set_cost
from inventory_service.models import Device, Disk, Interface, Node, NumaNode
from inventory_service.node_records import normal_mac, normal_uuid
from inventory_service.problems import Invalid

_DISK_KINDS = ("nvme", "ssd", "hdd")
_GPU_CLASSES = (("0302", None), ("1200", None), ("03", "10de"), ("03", "1002"))
"""PCI classes (by their first digits) and vendors that are GPUs: 3D controllers and accelerators of anybody, displays of
NVIDIA and AMD. The VGA of a BMC (ASPEED, Matrox) is none."""
_NO_GPUS = frozenset({("1002", "515e"), ("1002", "4752")})
"""ATI ES1000 and Rage XL: the VGA of older BMCs."""


def fill_hardware(session: Session, node: Node, facts: dict[str, Any]) -> None:
    """Bring a node's columns and parts up to date with its facts.

    :raises Invalid: a document without what the columns need
    """
    _fill_columns(node, facts)
    _fill_disks(node, facts.get("disks") or [])
    _fill_interfaces(node, facts.get("interfaces") or [])
    _fill_numa(session, node, facts.get("numa") or [])
    _fill_devices(session, node, facts)
    set_cost(session, node)
    node.hardware_version += 1


def _positive(field: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise Invalid(field, value, f"{value!r} is not a number above 0")
    return value


def _fill_columns(node: Node, facts: dict[str, Any]) -> None:
    system, cpu, tpm = facts.get("system") or {}, facts.get("cpu") or {}, facts.get("tpm") or {}
    memory, firmware = facts.get("memory") or {}, facts.get("firmware") or {}
    node.cpus = _positive("facts.cpu.threads", cpu.get("threads"))
    node.cpu_mhz = cpu.get("mhz_max") or node.cpu_mhz
    node.memory_bytes = _positive("facts.memory.bytes", memory.get("bytes") or memory.get("usable_bytes"))
    node.arch = ARCHITECTURES.get(str(cpu.get("arch", "")).lower(), node.arch)
    node.firmware = firmware.get("kind") or node.firmware
    node.tpm = tpm.get("version") if tpm.get("present") else None
    node.vendor = system.get("vendor") or node.vendor
    node.product = system.get("product") or node.product
    node.serial = system.get("serial") or node.serial
    node.uuid = normal_uuid("facts.system.uuid", system.get("uuid")) or node.uuid


def _named_once(disks: Sequence[Disk]) -> dict[str, Disk]:
    """Disks by serial number, or by name when they have none, as far as that tells them apart."""
    names = [disk.serial or disk.name for disk in disks]
    return {name: disk for name, disk in zip(names, disks, strict=True) if names.count(name) == 1}


def _fill_disks(node: Node, disks: Sequence[dict[str, Any]]) -> None:
    """A disk that was there before keeps its row, and with it what people said of it."""
    known = _named_once(node.disks)
    found = []
    for index, said in enumerate(disks):
        name = str(said.get("name") or said.get("path") or f"disk{index}")
        disk = known.pop(said.get("serial") or name, None) or Disk(tags=[])
        disk.name = name
        disk.path = said.get("path")
        disk.serial = said.get("serial") or None
        disk.wwn = said.get("wwn")
        disk.model = said.get("model")
        disk.kind = said["kind"] if said.get("kind") in _DISK_KINDS else "hdd" if said.get("rotational") else "ssd"
        disk.size_bytes = _positive(f"facts.disks.{index}.size_bytes", said.get("size_bytes"))
        disk.rotational = bool(said.get("rotational"))
        disk.wear_percent = said.get("wear_percent")
        found.append(disk)
    node.disks = found
    if node.root_disk not in {disk.serial for disk in node.disks if disk.serial}:
        clear = root_disk.unambiguous(node.disks)
        node.root_disk = clear.serial if clear else None
    chosen = next((disk for disk in node.disks if disk.serial and disk.serial == node.root_disk), None)
    largest = max((disk.size_bytes for disk in node.disks), default=0)
    node.disk_bytes = chosen.size_bytes if chosen else largest
    node.storage_bytes = sum(disk.size_bytes for disk in node.disks)


def _fill_interfaces(node: Node, interfaces: Sequence[dict[str, Any]]) -> None:
    known = {one.mac: one for one in node.interfaces}
    for index, said in enumerate(interfaces):
        if not said.get("mac"):
            continue
        mac = normal_mac(f"facts.interfaces.{index}.mac", str(said["mac"]))
        interface = known.get(mac)
        if interface is None:
            interface = known[mac] = Interface(mac=mac, tags=[])
            node.interfaces.append(interface)
        interface.name = said.get("name") or interface.name
        interface.driver = said.get("driver")
        interface.speed_mbps = said.get("speed_mbps")
        interface.link = said.get("link") if isinstance(said.get("link"), bool) else None
        interface.lldp = said.get("lldp")
    node.link_mbps = max((one.speed_mbps or 0 for one in node.interfaces), default=0) or None


def _fill_numa(session: Session, node: Node, numa: Sequence[dict[str, Any]]) -> None:
    session.execute(delete(NumaNode).where(NumaNode.node_id == node.id))
    for index, said in enumerate(numa):
        cpus, memory = len(said.get("cpus") or []), said.get("memory_bytes")
        session.add(NumaNode(node_id=node.id, number=said.get("node", index), cpus=cpus, memory_bytes=memory))
    node.numa_nodes = len(numa) or None


def _fill_devices(session: Session, node: Node, facts: dict[str, Any]) -> None:
    devices = [*_pci(facts.get("pci") or []), *_usb(facts.get("usb") or [])]
    session.execute(delete(Device).where(Device.node_id == node.id))
    for device in devices:
        device.node_id = node.id
        session.add(device)
    node.gpus = sum(device.gpu for device in devices)


def _pci(said: Sequence[dict[str, Any]]) -> Iterator[Device]:
    for one in said:
        pci_class, vendor, product = _hex(one.get("class")), _hex(one.get("vendor_id")), _hex(one.get("device_id"))
        yield Device(
            bus="pci",
            address=one.get("address"),
            pci_class=pci_class,
            class_name=one.get("class_name"),
            vendor_id=vendor,
            product_id=product,
            vendor=one.get("vendor"),
            product=one.get("device"),
            driver=one.get("driver"),
            gpu=_is_gpu(pci_class or "", vendor, product),
        )


def _usb(said: Sequence[dict[str, Any]]) -> Iterator[Device]:
    for one in said:
        yield Device(
            bus="usb",
            address=str(one["bus"]) if one.get("bus") is not None else None,
            vendor_id=_hex(one.get("vendor_id")),
            product_id=_hex(one.get("device_id")),
            product=one.get("product"),
            gpu=False,
        )


def _hex(text: Any) -> str | None:
    return str(text).lower().removeprefix("0x") if text else None


def _is_gpu(pci_class: str, vendor: str | None, product: str | None) -> bool:
    if (vendor, product) in _NO_GPUS:
        return False
    return any(pci_class.startswith(digits) and whose in (None, vendor) for digits, whose in _GPU_CLASSES)
