"""Boots into the ephemeral OS: armed by the worker, proved by the node, closed with the operation."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.db import touch
from inventory_service.events import record
from inventory_service.models import Boot, Event, Node, Operation, PhoneHome
from inventory_service.operations.lookup import changed, find_operation, say
from inventory_service.problems import Conflict, Forbidden
from inventory_service.secret_tokens import digest, matches, new_token
from inventory_service.vault import Vault
from inventory_service.wiring import learn

NONCE_BYTES = 12
"""What fits an OEM record of the BMC's event log beside its mark (IPMI 2.0, section 32.3)."""


@dataclass(frozen=True)
class Armed:
    """A boot as the worker needs it; the nonce is shown here and kept as its SHA-256."""

    boot: str
    nonce: str


def close_boots(session: Session, node_id: int, *, leave_waiting: str | None = None) -> None:
    """No boot of this node may speak for an operation any more.

    :param leave_waiting: the operation that has left the node waiting in the ephemeral OS, if it ended well
    """
    over = update(Boot).where(Boot.node_id == node_id, Boot.state != "closed")
    if leave_waiting is not None:
        over = over.where((Boot.state != "waiting") | (Boot.operation_id != leave_waiting))
    session.execute(over.values(state="closed", token=None))
    session.execute(
        update(PhoneHome).where(PhoneHome.node_id == node_id, PhoneHome.closed.is_(False)).values(closed=True)
    )


def arm(session: Session, vault: Vault, operation: Operation) -> Armed:
    """Make the next boot of the node the operation's; older boots of the node die."""
    session.execute(
        update(Boot).where(Boot.node_id == operation.node_id, Boot.state != "closed").values(state="closed", token=None)
    )
    armed = Armed(boot=secrets.token_hex(8), nonce=secrets.token_hex(NONCE_BYTES))
    session.add(
        Boot(
            id=armed.boot,
            operation_id=operation.id,
            node_id=operation.node_id,
            epoch=operation.epoch,
            state="armed",
            nonce_sha256=digest(armed.nonce),
            token=vault.encrypt(new_token()),
            created_at=clock.now(),
        )
    )
    say(session, operation, f"boot {armed.boot} is armed")
    changed(session, operation)
    touch(session, f"boots:{operation.node_id}")
    return armed


def armed_boot(session: Session, node_id: int) -> Boot | None:
    """The boot that the node is expected to make now."""
    return session.scalar(select(Boot).where(Boot.node_id == node_id, Boot.state == "armed"))


def weak_token_allowed(node: Node) -> bool:
    """Whether the node's or its pool's policy lets a one-shot token stand for the nonce (no in-band BMC)."""
    return node.weak_boot_token or node.pool.weak_boot_token


def issue_token(vault: Vault, boot: Boot, to: str) -> str | None:
    """The boot's one-shot token in clear; from now on a check-in may show it. None once it was used."""
    if boot.token is None or boot.state != "armed":
        return None
    boot.token_issued_to = boot.token_issued_to or to
    return vault.decrypt(boot.token)


@dataclass(frozen=True)
class CheckIn:
    """What the ephemeral OS says when it is up."""

    boot: str
    nonce: str | None
    token: str | None
    host_key: str
    address: str
    uuid: str | None
    macs: tuple[str, ...]
    boot_mac: str | None


def _refuse(session: Session, kind: str, why: str, said: CheckIn, operation: Operation, source: str) -> Forbidden:
    """Note a refused check-in once for each host key, and make the answer, which tells nothing."""
    known = session.scalars(select(Event.detail).where(Event.operation_id == operation.id, Event.kind == kind)).all()
    if not any(one.get("host_key") == said.host_key and one.get("why") == why for one in known):
        record(
            session,
            kind,
            f"boot {source}",
            node=operation.node,
            allocation=operation.allocation,
            operation_id=operation.id,
            why=why,
            boot=said.boot,
            host_key=said.host_key,
            address=said.address,
            macs=list(said.macs),
        )
        say(session, operation, f"{kind}: {why}, from {source}")
        changed(session, operation)
    return Forbidden("this boot may not check in")


def _is_of(node: Node, said: CheckIn) -> bool:
    macs = {one.mac for one in node.interfaces}
    if node.uuid and said.uuid and node.uuid != said.uuid:
        return False
    return bool(macs & set(said.macs)) or bool(node.uuid and node.uuid == said.uuid)


def check_in(session: Session, vault: Vault, said: CheckIn, source: str) -> list[str] | Forbidden:
    """Accept a boot that shows the nonce (or the token, where policy allows it): the keys that it is to let in.

    A refusal is returned, not raised, because its event has to be committed.
    """
    boot = session.get(Boot, said.boot)
    if boot is None or boot.state == "closed":
        return Forbidden("this boot may not check in: it is not armed, or over")
    operation = find_operation(session, boot.operation_id, change=True)
    session.refresh(boot)
    if operation.state != "running" or operation.epoch != boot.epoch:
        return Forbidden("this boot may not check in: its operation is over")
    if not _is_of(operation.node, said):
        return _refuse(session, "security.checkin-refused", "another machine", said, operation, source)
    by_nonce = matches(said.nonce, boot.nonce_sha256)
    by_token = bool(
        boot.token
        and boot.token_issued_to
        and said.token
        and secrets.compare_digest(vault.decrypt(boot.token), said.token)
    )
    if not (by_nonce or by_token):
        why = "wrong nonce" if said.nonce else "wrong token" if said.token else "no proof"
        return _refuse(session, "security.checkin-refused", why, said, operation, source)
    if boot.state == "checked_in" and boot.host_key != said.host_key:
        return _refuse(session, "security.token-reuse", "second use with another host key", said, operation, source)
    if boot.state == "armed":
        boot.state = "checked_in"
        boot.host_key = said.host_key
        boot.address = said.address
        boot.checked_in_at = clock.now()
        learn(session, operation.node, said.boot_mac, said.address, f"boot {source}")
        proof = "nonce" if by_nonce else f"one-shot token ({boot.token_issued_to})"
        say(session, operation, f"the ephemeral OS is up at {said.address}, proved by {proof}")
        record(
            session,
            "boot.checked-in",
            f"boot {source}",
            node=operation.node,
            allocation=operation.allocation,
            operation_id=operation.id,
            boot=boot.id,
            address=said.address,
            proof=proof,
        )
        changed(session, operation)
        touch(session, f"boots:{operation.node_id}")
    return [operation.worker_key] if operation.worker_key else []


def leave_waiting(session: Session, operation: Operation) -> None:
    """The node stays in the ephemeral OS when this operation has ended, and the worker may come back over SSH.

    :raises Conflict: no boot of this claim has checked in
    """
    boot = checked_in_boot(session, operation.id, operation.epoch)
    if boot is None:
        raise Conflict("the node has not checked in for this operation, so it cannot wait in the ephemeral OS")
    boot.state = "waiting"
    say(session, operation, f"the node is left waiting at {boot.address}")
    changed(session, operation)


def waiting_boot(session: Session, node_id: int) -> Boot | None:
    """The boot in which the node waits since an earlier operation."""
    return session.scalar(select(Boot).where(Boot.node_id == node_id, Boot.state == "waiting"))


def checked_in_boot(session: Session, operation_id: str, epoch: int) -> Boot | None:
    """The boot of this claim that has checked in."""
    return session.scalar(
        select(Boot).where(Boot.operation_id == operation_id, Boot.epoch == epoch, Boot.state == "checked_in")
    )


def phone_home_token(session: Session, operation: Operation) -> str:
    """A one-shot token for the installed system; older ones of the operation die."""
    session.execute(
        update(PhoneHome).where(PhoneHome.node_id == operation.node_id, PhoneHome.closed.is_(False)).values(closed=True)
    )
    token = new_token()
    session.add(
        PhoneHome(
            operation_id=operation.id,
            node_id=operation.node_id,
            token_sha256=digest(token),
            host_keys=[],
            created_at=clock.now(),
        )
    )
    changed(session, operation)
    return token


def phone_home(session: Session, token: str, address: str, host_keys: list[str], source: str) -> Forbidden | None:
    """The installed system is up and says its host keys. A refusal is returned, because its event has to stay."""
    call = session.scalar(select(PhoneHome).where(PhoneHome.token_sha256 == digest(token)))
    if call is None:
        return Forbidden("this token is unknown")
    operation = find_operation(session, call.operation_id, change=True)
    session.refresh(call)
    if call.used_at is not None:
        if sorted(call.host_keys) == sorted(host_keys):
            return None
        record(
            session,
            "security.token-reuse",
            f"boot {source}",
            node=operation.node,
            allocation=operation.allocation,
            operation_id=operation.id,
            why="a second phone-home with other host keys",
            address=address,
        )
        return Forbidden("this token was used")
    if call.closed or operation.state != "running":
        return Forbidden("this token is over")
    call.used_at = clock.now()
    call.address = address
    call.host_keys = host_keys
    say(session, operation, f"the installed system phoned home from {address}")
    record(
        session,
        "node.phoned-home",
        f"boot {source}",
        node=operation.node,
        allocation=operation.allocation,
        operation_id=operation.id,
        address=address,
        host_keys=host_keys,
    )
    changed(session, operation)
    return None


def phoned_home(session: Session, operation_id: str) -> PhoneHome | None:
    """What the installed system reported, as long as its token was not replaced."""
    return session.scalar(
        select(PhoneHome)
        .where(PhoneHome.operation_id == operation_id, PhoneHome.used_at.is_not(None), PhoneHome.closed.is_(False))
        .order_by(PhoneHome.id.desc())
    )


def boot_summary(boot: Boot) -> dict[str, Any]:
    """What the worker needs to log in."""
    return {"boot": boot.id, "address": boot.address, "host_key": boot.host_key}
