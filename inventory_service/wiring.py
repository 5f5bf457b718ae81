"""Which VLAN an interface is on: set by hand, or learned from the address that it has when the node boots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netaddr import IPNetwork
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from inventory_service import ip
from inventory_service.events import record
from inventory_service.models import Address, Interface, Node, Subnet, Vlan
from inventory_service.named import named
from inventory_service.problems import Conflict, Invalid


def vlans_of_address(session: Session, text: str) -> set[int]:
    """The VLANs that have a subnet with this address; several when fabrics use the same addresses."""
    address = ip.parse_address("address", text)
    return {vlan_id for vlan_id, cidr in session.execute(select(Subnet.vlan_id, Subnet.cidr)) if address in IPNetwork(cidr)}


def learn(session: Session, node: Node, mac: str | None, address: str | None, actor: str) -> None:
    """An interface was seen with an address: it is on that VLAN, unless a person says otherwise or the address says nothing.

    :param node: loaded with its interfaces
    """
    interface = next((one for one in node.interfaces if one.mac == mac), None)
    if interface is None or interface.vlan_by_hand or not address:
        return
    found = vlans_of_address(session, address)
    if len(found) == 1 and interface.vlan_id not in found:
        _move(session, node, interface, found.pop())
        vlan = session.get(Vlan, interface.vlan_id)
        record(session, "interface.vlan-learned", actor, node=node, mac=mac, address=address, vlan=vlan.name if vlan else None)


def set_by_hand(session: Session, node: Node, interface: Interface, field: str, said: Mapping[str, Any]) -> None:
    """What a person says of an interface: ``vlan`` or ``subnet`` by name; null leaves it to be learned again.

    :raises Invalid: there is none of that name, or the subnet is on another VLAN
    """
    if "vlan" not in said and "subnet" not in said:
        return
    vlan_id = named(session, Vlan, f"{field}.vlan", said["vlan"]).id if said.get("vlan") else None
    if said.get("subnet"):
        subnet = named(session, Subnet, f"{field}.subnet", said["subnet"])
        if vlan_id not in (None, subnet.vlan_id):
            raise Invalid(f"{field}.subnet", said["subnet"], f"subnet {subnet.name} is not on VLAN {said['vlan']}")
        vlan_id = subnet.vlan_id
    if vlan_id is None and not interface.vlan_by_hand:
        return
    interface.vlan_by_hand = vlan_id is not None
    if vlan_id != interface.vlan_id:
        _move(session, node, interface, vlan_id)


def check_free(session: Session, interfaces: Sequence[Interface]) -> None:
    """Interfaces that are to go must hold no address: a system uses it.

    :raises Conflict: one does
    """
    ids = [one.id for one in interfaces]
    held = select(Address.ip, Interface.mac).join(Interface, Interface.id == Address.interface_id)
    for text, mac in session.execute(held.where(Address.interface_id.in_(ids), Address.allocation_id.is_not(None)).limit(1)):
        raise Conflict(f"interface {mac} holds {text} until its node is released", field="interfaces", value=mac)


def _move(session: Session, node: Node, interface: Interface, vlan_id: int | None) -> None:
    """What was reserved for the interface on its old VLAN means nothing on the new one."""
    interface.vlan_id = vlan_id
    node.hardware_version += 1
    if interface.id is not None:
        session.execute(
            delete(Address).where(
                Address.interface_id == interface.id, Address.kind == "reserved", Address.allocation_id.is_(None)
            )
        )
