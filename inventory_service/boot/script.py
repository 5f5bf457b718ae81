"""The iPXE script for one machine: rendered when it is asked for, from the database."""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from sqlalchemy.orm import Session

from inventory_service.enlist import known_nodes, may_enlist
from inventory_service.models import Node
from inventory_service.operations.boots import armed_boot, issue_token, weak_token_allowed
from inventory_service.services import Services


@dataclass(frozen=True)
class Machine:
    """What iPXE says of the machine it runs on."""

    mac: str | None
    uuid: str | None
    platform: str


@dataclass(frozen=True)
class Script:
    """What the machine is to do: ``operation`` or ``enlist`` (the ephemeral OS), or ``local`` (its own disk)."""

    mode: str
    boot: str | None = None
    token: str | None = None


def decide(session: Session, services: Services, machine: Machine) -> Script:
    """Ephemeral OS for an armed boot and for the unknown; everything else boots from its own disk."""
    node = _node_of(session, machine)
    if node is None:
        return Script("enlist")
    boot = armed_boot(session, node.id)
    by_claim = may_enlist(node) and not weak_token_allowed(node) and (node.bmc is None or node.bmc.password is None)
    if boot is not None and not by_claim:
        token = issue_token(services.vault, boot, "boot script") if weak_token_allowed(node) else None
        return Script("operation", boot.id, token)
    return Script("enlist" if may_enlist(node) else "local")


def _node_of(session: Session, machine: Machine) -> Node | None:
    found = known_nodes(session, machine.uuid, [machine.mac] if machine.mac else [])
    by_mac = [node for node in found if machine.mac in {one.mac for one in node.interfaces}]
    return next(iter(by_mac or found), None)


def render(script: Script, machine: Machine, base_url: str) -> str:
    """The script as iPXE reads it."""
    return render_template("boot/ipxe.j2", script=script, machine=machine, base_url=base_url)
