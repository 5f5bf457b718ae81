"""VLANs, subnets and reserved addresses."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from inventory_service.addresses import give_back, reserve
from inventory_service.documents.networks import subnet_document, vlan_document
from inventory_service.models import Address, Interface, Subnet, Vlan
from inventory_service.named import find, remove
from inventory_service.networks import put_vlan
from inventory_service.node_records import find_interface
from inventory_service.subnets import put_subnet, whole_subnet
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work


def _vlans(session: Session) -> list[Entry]:
    query = select(Vlan).order_by(Vlan.name).options(joinedload(Vlan.fabric), joinedload(Vlan.space))
    return [_only(entries.Vlan, vlan_document(one)) for one in session.scalars(query)]


def _subnets(session: Session) -> list[Entry]:
    on = joinedload(Subnet.vlan)
    query = select(Subnet).order_by(Subnet.name)
    query = query.options(selectinload(Subnet.ranges), on.joinedload(Vlan.fabric), on.joinedload(Vlan.space))
    return [_only(entries.Subnet, subnet_document(one)) for one in session.scalars(query)]


def _only(entry: type[entries.Name], document: Entry) -> Entry:
    return {"name": document["name"]} | {key: document[key] for key in entry.model_fields}


def _put_vlan(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
    put_vlan(work.session, entry["name"], changed, work.actor)


def _put_subnet(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
    put_subnet(work.session, entry["name"], changed, work.actor)


def _drop_vlan(work: Work, entry: Entry) -> None:
    remove(work.session, find(work.session, Vlan, entry["name"]), work.actor)


def _drop_subnet(work: Work, entry: Entry) -> None:
    remove(work.session, find(work.session, Subnet, entry["name"]), work.actor)


def _reserved(session: Session) -> list[Entry]:
    query = (
        select(Subnet.name, Address.ip, Interface.mac, Address.comment)
        .join(Subnet, Subnet.id == Address.subnet_id)
        .outerjoin(Interface, Interface.id == Address.interface_id)
        .where(Address.kind == "reserved")
        .order_by(Subnet.name, Address.position, Address.id)
    )
    return [
        {"subnet": subnet, "ip": text, "interface": mac, "comment": comment}
        for subnet, text, mac, comment in session.execute(query)
    ]


def _reserve(work: Work, entry: Entry, _changed: Entry, before: Entry | None) -> None:
    said = (before or {}) | entry
    subnet = whole_subnet(work.session, said["subnet"], change=True)
    interface = find_interface(work.session, said["interface"]) if said.get("interface") else None
    reserve(work.session, subnet, said["ip"], interface, said.get("comment") or "", work.actor)


def _give_back(work: Work, entry: Entry) -> None:
    give_back(work.session, whole_subnet(work.session, entry["subnet"], change=True), entry["ip"], work.actor)


VLANS = Kind("vlans", entries.Vlan, _vlans, _put_vlan, _drop_vlan)
SUBNETS = Kind("subnets", entries.Subnet, _subnets, _put_subnet, _drop_subnet)
RESERVED = Kind("reserved_addresses", entries.Reserved, _reserved, _reserve, _give_back, key=("subnet", "ip"))
