"""Unknown machines that boot from the network: what they say is a claim that nobody has checked.

A machine that enlists becomes a ``new`` node and waits; nothing on it is touched before a person
or a policy accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import touch
from inventory_service.events import record
from inventory_service.models import Bmc, Boot, Enlistment, Interface, Node
from inventory_service.node_records import add_node, find_node, normal_mac, normal_uuid
from inventory_service.operations.boots import armed_boot, issue_token
from inventory_service.operations.request import request_operation
from inventory_service.problems import Conflict, Gone, Problem, TooMany
from inventory_service.secret_tokens import digest, new_token
from inventory_service.services import Services
from inventory_service.wiring import learn

_RETRY_SECONDS = 60


@dataclass(frozen=True)
class Enlisted:
    """The node, and the secret by which this very machine waits for its acceptance."""

    node: str
    claim: str
    new: bool


def known_nodes(session: Session, uuid: str | None, macs: list[str]) -> list[Node]:
    """The nodes that have this UUID or one of these MAC addresses."""
    same: ColumnElement[bool] = Node.id.in_(select(Interface.node_id).where(Interface.mac.in_(macs)))
    if uuid is not None:
        same = or_(same, Node.uuid == uuid)
    names = session.scalars(select(Node.name).where(same).order_by(Node.id)).all()
    return [find_node(session, name) for name in names]


def may_enlist(node: Node) -> bool:
    """Whether the machine may wait to be taken over: nobody accepted it, or nobody has an account on its BMC yet."""
    without_account = node.bmc is None or node.bmc.password is None
    return node.state == "new" or (node.state in ("commissioning", "failed_commissioning") and without_account)


def enlist(session: Session, services: Services, said: dict[str, Any], source: str) -> Enlisted | Problem:
    """Note an unknown machine as a new node, or let one that nobody has taken over yet go on waiting.

    A refusal that leaves an event is returned, not raised, because the event has to be committed.

    :param said: uuid, serial, vendor, product, arch, firmware, interfaces, boot_mac, address, bmc
    :raises TooMany: too many nodes wait to be accepted, from this source or in all
    """
    macs = [normal_mac("interfaces.mac", one["mac"]) for one in said["interfaces"]]
    uuid = normal_uuid("uuid", said.get("uuid"))
    known = known_nodes(session, uuid, macs)
    if len(known) > 1 or not all(map(may_enlist, known)):
        return _refuse_known(session, known, said, source)
    if known:
        node = known[0]
    else:
        _check_room(session, services, source)
        node = _add(session, services, said, uuid, macs, source)
    claim = new_token()
    if said.get("boot_mac"):
        learn(session, node, normal_mac("boot_mac", said["boot_mac"]), said.get("address"), f"boot {source}")
    enlistment = session.get(Enlistment, node.id)
    if enlistment is None:
        enlistment = Enlistment(node_id=node.id)
        session.add(enlistment)
    enlistment.claim_sha256, enlistment.source = digest(claim), source
    enlistment.document, enlistment.at = said, clock.now()
    if not known and (services.settings.auto_accept or node.pool.auto_accept):
        request_operation(session, services.settings, node, "commission", "policy auto_accept")
    return Enlisted(node=node.name, claim=claim, new=not known)


def _refuse_known(session: Session, known: list[Node], said: dict[str, Any], source: str) -> Conflict:
    for node in known:
        record(
            session,
            "security.enlist-refused",
            f"boot {source}",
            node=node,
            why="a machine that says it is this node wants to enlist",
            said={name: said.get(name) for name in ("uuid", "serial", "interfaces", "address")},
        )
    return Conflict("a node with this UUID or one of these MAC addresses is known already; it is not enlisted again")


def _check_room(session: Session, services: Services, source: str) -> None:
    settings = services.settings
    waiting = (
        select(func.count())
        .select_from(Enlistment)
        .join(Node, Node.id == Enlistment.node_id)
        .where(Node.state == "new")
    )
    if (session.scalar(waiting) or 0) >= settings.unaccepted_nodes:
        raise TooMany("too many enlisted nodes wait to be accepted: accept or delete some", _RETRY_SECONDS)
    if (session.scalar(waiting.where(Enlistment.source == source)) or 0) >= settings.unaccepted_nodes_per_source:
        raise TooMany("too many enlisted nodes of this address wait to be accepted", _RETRY_SECONDS)


def _add(
    session: Session, services: Services, said: dict[str, Any], uuid: str | None, macs: list[str], source: str
) -> Node:
    boot_mac = normal_mac("boot_mac", said["boot_mac"]) if said.get("boot_mac") else macs[0]
    node = add_node(
        session,
        services.settings,
        services.vault,
        {
            "name": f"node-{boot_mac.replace(':', '')}",
            "uuid": uuid,
            "serial": said.get("serial"),
            "vendor": said.get("vendor"),
            "product": said.get("product"),
            "arch": said["arch"],
            "firmware": said["firmware"],
            "interfaces": said["interfaces"],
            "comment": "enlisted; what it says of itself is not checked",
        },
        f"boot {source}",
    )
    bmc = said.get("bmc") or {}
    if bmc.get("address"):
        node.bmc = Bmc(kind="ipmi", address=bmc["address"], port=623, mac=bmc.get("mac"))
    record(session, "node.enlisted", f"boot {source}", node=node, address=said.get("address"), bmc=bmc or None)
    session.flush()
    return find_node(session, node.name)


def _claimed(session: Session, claim: str) -> Node:
    enlistment = session.scalar(select(Enlistment).where(Enlistment.claim_sha256 == digest(claim)))
    node = session.get(Node, enlistment.node_id) if enlistment else None
    if node is None or node.state not in ("new", "commissioning", "failed_commissioning"):
        raise Gone("this claim is over: power off, or boot again")
    return node


def accepted_boot(session: Session, claim: str) -> tuple[int, Boot | None]:
    """The node that waits by this claim, and the boot that its acceptance armed.

    :raises Gone: the claim is over: the node was deleted, or is commissioned already
    """
    node = _claimed(session, claim)
    return node.id, armed_boot(session, node.id)


def hand_over(session: Session, services: Services, claim: str) -> dict[str, Any] | None:
    """What the waiting machine needs to check in for the armed boot; None when none is armed.

    The one-shot token stands for the nonce only where no nonce can be put into the BMC, because nobody
    knows its password yet; otherwise the machine has to read the nonce.
    """
    node_id, boot = accepted_boot(session, claim)
    if boot is None:
        return None
    bmc = session.get(Bmc, node_id)
    token = None if bmc is not None and bmc.password else issue_token(services.vault, boot, "enlisted claim")
    touch(session, f"boots:{node_id}")
    return {"boot": boot.id, "token": token}
