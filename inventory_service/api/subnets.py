"""Subnets, and who holds which of their addresses."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from inventory_service.addresses import give_back, reserve
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.networks import Address as AddressOut
from inventory_service.api.schemas.networks import Addresses, Reservation, SubnetChange, Subnets, UsedSubnet
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.networks import address_documents, subnet_document, used_subnet_document
from inventory_service.models import Address, Subnet
from inventory_service.named import find, remove
from inventory_service.node_records import find_interface
from inventory_service.subnets import put_subnet, whole, whole_subnet

bp = APIBlueprint("subnets", __name__, url_prefix="/api/v1", tag="Networks")
by_token(bp)


add_views(
    bp,
    Records(
        "subnet", "subnets", Subnet, UsedSubnet, Subnets, used_subnet_document,
        listed=lambda _session, rows: [subnet_document(one) for one in rows],
        whole=whole(), change=SubnetChange, put=put_subnet, remove=remove,
        shows="Show one subnet, and how much of it is taken.",
        removes="Delete a subnet of which no address is taken.",
    ),
)  # fmt: skip


@bp.get("/subnets/<name>/addresses")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Addresses)
@needs("anyone")
def list_addresses(name: str, page: Page) -> dict[str, Any]:
    """The addresses that are taken, the lowest first. Users see the holders of their own only."""
    with services().database.read() as session:
        query = select(Address).where(Address.subnet_id == find(session, Subnet, name).id)
        if page.after:
            after = [number(one) for one in (page.after + ".").split(".")[:2]]
            query = query.where(tuple_(Address.position, Address.id) > tuple_(*after))
        query = query.order_by(Address.position, Address.id)
        rows, following = part(session, query, page.limit, lambda one: f"{one.position}.{one.id}")
        seen_by = caller().user_id if caller().role == "user" else None
        return {"items": address_documents(session, rows, seen_by=seen_by), "next": following}


def _taken(session: Session, subnet: Subnet, ip: str) -> Address | None:
    return session.scalar(select(Address).where(Address.subnet_id == subnet.id, Address.ip == ip))


@bp.put("/subnets/<name>/addresses/<ip>")
@bp.input(Reservation, arg_name="wanted")
@bp.output(AddressOut)
@needs("administrator")
@versioned
def reserve_address(name: str, ip: str, wanted: Reservation) -> dict[str, Any]:
    """Reserve an address: for something that is no node, or for one interface, which gets it whenever it is allocated."""
    who = caller()
    with services().database.write() as session:
        subnet = whole_subnet(session, name, change=True)
        interface = find_interface(session, wanted.interface) if wanted.interface else None
        need_version(session, _taken(session, subnet, ip))
        row = reserve(session, subnet, ip, interface, wanted.comment, who.actor)
        show_version(row)
        session.flush()
        return address_documents(session, [row])[0]


@bp.delete("/subnets/<name>/addresses/<ip>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def give_address_back(name: str, ip: str) -> str:
    """End a reservation. What an allocation holds is free when that is released."""
    who = caller()
    with services().database.write() as session:
        subnet = whole_subnet(session, name, change=True)
        need_version(session, _taken(session, subnet, ip))
        give_back(session, subnet, ip, who.actor)
    return ""
