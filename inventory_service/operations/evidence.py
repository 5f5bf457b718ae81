"""What an operation found and proved: facts, erasures, script results, the BMC's account, findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.events import record
from inventory_service.models import Bmc, Erasure, NodeFacts, Operation, ScriptResult
from inventory_service.node_records import normal_mac
from inventory_service.operations.hardware import fill_hardware
from inventory_service.operations.lookup import changed, say
from inventory_service.problems import Conflict, Invalid
from inventory_service.tags import rules_due
from inventory_service.vault import Vault
from inventory_service.wiring import learn


def store_facts(session: Session, operation: Operation, facts: dict[str, Any]) -> None:
    """Keep the facts document of a commissioning and fill the columns that constraints use.

    :raises Invalid: facts of another kind of operation, or a document without what the columns need
    """
    if operation.kind != "commission":
        raise Invalid(
            "facts", operation.kind, f"{operation.kind} does not change what was commissioned", ["commission"]
        )
    node = operation.node
    fill_hardware(session, node, facts)
    bmc = facts.get("bmc") or {}
    if node.bmc is not None and bmc.get("mac"):
        node.bmc.mac = normal_mac("facts.bmc.mac", bmc["mac"])
    stored = session.get(NodeFacts, node.id)
    if stored is None:
        session.add(NodeFacts(node_id=node.id, operation_id=operation.id, document=facts, at=clock.now()))
    else:
        stored.operation_id, stored.document, stored.at = operation.id, facts, clock.now()
    rules_due(session, node)
    node.updated_at = clock.now()
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"what node {operation.node.name} says of itself (UUID, MAC addresses) is another node's already",
            field="facts",
        ) from error
    for said in facts.get("interfaces") or []:
        for address in said.get("addresses") or ():
            learn(session, node, str(said.get("mac")).lower(), str(address), operation.worker or "worker")
    say(session, operation, f"hardware inventory stored: {node.cpus} CPUs, {node.memory_bytes} bytes of memory, "
        f"{len(node.disks)} disks, root disk {node.root_disk or 'not clear'}")  # fmt: skip
    changed(session, operation)


def add_erasures(session: Session, operation: Operation, items: Sequence[dict[str, Any]]) -> None:
    """Keep the records of erased disks; they outlive the node's own record."""
    now = clock.now()
    for item in items:
        session.add(
            Erasure(
                node_id=operation.node_id,
                node_name=operation.node.name,
                operation_id=operation.id,
                recorded_at=now,
                **item,
            )
        )
        disk = item.get("serial") or item.get("path")
        verdict = "verified" if item["verified"] else "NOT verified"
        say(session, operation, f"disk {disk}: {item['method'] or 'no method'}, {verdict}: {item['detail']}")
        record(
            session,
            "disk.erased" if item["verified"] else "disk.erasure-not-verified",
            operation.worker or "worker",
            node=operation.node,
            allocation=operation.allocation,
            operation_id=operation.id,
            serial=item.get("serial"),
            path=item.get("path"),
            method=item["method"],
            verified=item["verified"],
        )
    changed(session, operation)


def unproved_disks(session: Session, operation: Operation) -> list[str]:
    """The node's disks without a verified erasure in this operation, the last record of each disk counting."""
    records = session.scalars(select(Erasure).where(Erasure.operation_id == operation.id).order_by(Erasure.id)).all()
    by_serial = {one.serial: one.verified for one in records if one.serial}
    by_path = {one.path: one.verified for one in records if one.path}
    unproved = [one.serial or one.path or "?" for one in records if not one.verified and one.serial not in by_serial]
    unproved += [serial for serial, verified in by_serial.items() if not verified]
    serials = [disk.serial for disk in operation.node.disks]
    for disk in operation.node.disks:
        alone = disk.serial and serials.count(disk.serial) == 1
        proved = by_serial.get(disk.serial or "") if alone else by_path.get(disk.path or disk.name)
        if proved is None:
            unproved.append(disk.serial or disk.path or disk.name)
    return list(dict.fromkeys(unproved))


def add_script_results(session: Session, operation: Operation, items: Sequence[dict[str, Any]]) -> None:
    """Keep what a site's own scripts said."""
    now = clock.now()
    for item in items:
        session.add(ScriptResult(operation_id=operation.id, recorded_at=now, **item))
        say(session, operation, f"script {item['name']} ({item['phase']}): exit code {item['exit_code']}")
    changed(session, operation)


def add_findings(session: Session, operation: Operation, items: Sequence[dict[str, Any]]) -> None:
    """What was found on the way becomes events."""
    for item in items:
        say(session, operation, f"{item['kind']}: {item['detail']}")
        record(
            session,
            f"finding.{item['kind']}",
            operation.worker or "worker",
            node=operation.node,
            allocation=operation.allocation,
            operation_id=operation.id,
            detail=item["detail"],
        )
    changed(session, operation)


def set_power(session: Session, operation: Operation, power_state: str) -> None:
    """The power state as it was read back."""
    if operation.node.power_state != power_state:
        operation.node.power_state = power_state
        operation.node.updated_at = clock.now()


def set_account(session: Session, vault: Vault, operation: Operation, said: dict[str, Any]) -> None:
    """Keep the BMC account that is being made, beside the old one; once proved it replaces that.

    :param said: address, port, username, password, state (``pending`` or ``proved``)
    """
    node = operation.node
    bmc = node.bmc
    if bmc is None:
        bmc = Bmc(kind="ipmi", address=said["address"], port=said["port"])
        node.bmc = bmc
    if said["state"] == "pending":
        bmc.pending_address, bmc.pending_port = said["address"], said["port"]
        bmc.pending_username, bmc.pending_password = said["username"], vault.encrypt(said["password"])
    else:
        bmc.address, bmc.port = said["address"], said["port"]
        bmc.username, bmc.password = said["username"], vault.encrypt(said["password"])
        bmc.pending_address = bmc.pending_port = bmc.pending_username = bmc.pending_password = None
        record(
            session,
            "bmc.account-proved",
            operation.worker or "worker",
            node=node,
            operation_id=operation.id,
            address=said["address"],
            username=said["username"],
        )
    say(session, operation, f"BMC account {said['username']} at {said['address']} is {said['state']}")
    changed(session, operation)
