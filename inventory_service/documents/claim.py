"""The claim: all that is needed to work on an operation, secrets included. Only the rack's worker gets it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.documents.allocation import allocation_document
from inventory_service.documents.catalogue import image_document, pool_document
from inventory_service.documents.networks import network_document
from inventory_service.documents.node import bmc_document, node_documents
from inventory_service.images import find_image
from inventory_service.models import Bmc, NodeFacts, Operation
from inventory_service.operations.boots import waiting_boot
from inventory_service.vault import Vault

_SUMMARY = ("firmware", "bmc", "boot")


def _bmc(vault: Vault, bmc: Bmc | None) -> dict[str, Any] | None:
    document = bmc_document(bmc)
    if bmc is None or document is None:
        return None
    return document | {"password": vault.decrypt(bmc.password) if bmc.password else None}


def _pending(vault: Vault, bmc: Bmc | None) -> dict[str, Any] | None:
    if bmc is None or bmc.pending_password is None:
        return None
    return {
        "kind": bmc.kind,
        "address": bmc.pending_address,
        "port": bmc.pending_port,
        "username": bmc.pending_username,
        "password": vault.decrypt(bmc.pending_password),
    }


def _waiting(session: Session, node_id: int) -> dict[str, Any] | None:
    boot = waiting_boot(session, node_id)
    return {"address": boot.address, "host_key": boot.host_key} if boot else None


def claim_document(session: Session, vault: Vault, operation: Operation) -> dict[str, Any]:
    """The claim of an operation, loaded whole."""
    node, allocation = operation.node, operation.allocation
    facts = session.scalar(select(NodeFacts.document).where(NodeFacts.node_id == node.id)) or {}
    claimed_node = node_documents(session, [node.id], with_bmc=True)[0] | {
        "bmc": _bmc(vault, node.bmc),
        "bmc_pending": _pending(vault, node.bmc),
        "waiting": _waiting(session, node.id),
        "facts_summary": {part: facts.get(part) for part in _SUMMARY},
    }
    image = operation.parameters.get("image")
    credentials = None
    if operation.kind == "deploy" and allocation is not None:
        credentials = vault.decrypt_document(allocation.credentials) | {"user": operation.parameters.get("ssh_user")}
    return {
        "operation_id": operation.id,
        "epoch": operation.epoch,
        "attempt": operation.attempt,
        "kind": operation.kind,
        "parameters": operation.parameters,
        "rack": operation.rack.name,
        "steps": [
            {"name": one.name, "title": one.title, "limit_seconds": one.limit_seconds} for one in operation.steps
        ],
        "node": claimed_node,
        "allocation": allocation_document(session, allocation) if allocation else None,
        "image": image_document(find_image(session, image)) if image else None,
        "credentials": credentials,
        "hostname": allocation.hostname if allocation else None,
        "pool_policy": pool_document(node.pool),
        "network": network_document(session, allocation.id) if allocation else [],
        "phone_home_path": "/boot/phone-home/",
    }
