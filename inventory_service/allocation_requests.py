"""What a user may do with an allocation: have it deployed, give it back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from inventory_service import clock, root_disk
from inventory_service.annotations import merged
from inventory_service.auth import Caller
from inventory_service.db import hold, touch
from inventory_service.events import record
from inventory_service.hostnames import check_hostname
from inventory_service.images import find_image
from inventory_service.models import Allocation, Image, Node, Operation, SshKey
from inventory_service.node_records import find_node
from inventory_service.operations.lookup import find_operation, say
from inventory_service.operations.request import busy, open_operation, request_operation
from inventory_service.problems import Conflict, Forbidden, Invalid, NotFound
from inventory_service.rights import OPERATE, may, visible_allocations
from inventory_service.services import Services


def find_allocation(session: Session, caller: Caller, name: str) -> Allocation:
    """The allocation of that name that the caller may see: the held one, else the one released last.

    :raises NotFound: there is none for this caller
    """
    query = select(Allocation).where(Allocation.name == name, *visible_allocations(session, caller))
    found = session.scalar(query.order_by(Allocation.state == "released", Allocation.id.desc()).limit(1))
    if found is None:
        raise NotFound("allocation", name)
    return found


def need_holder(caller: Caller, allocation: Allocation) -> None:
    """Go on only for whoever holds the allocation: a pool's operator does not put keys on others' systems.

    :raises Forbidden: it is another user's
    """
    if not (caller.is_admin or allocation.user_id == caller.user_id):
        raise Forbidden(f"allocation {allocation.name!r} is another user's: only its holder deploys it")


def complete_credentials(session: Session, user_id: int, credentials: dict[str, Any]) -> dict[str, Any]:
    """Put the user's own SSH keys where the request names none.

    :raises Invalid: nobody could log in
    """
    if not credentials.get("ssh_keys"):
        stored = session.scalars(select(SshKey.key).where(SshKey.user_id == user_id).order_by(SshKey.id)).all()
        credentials = credentials | {"ssh_keys": list(stored)}
    if not credentials["ssh_keys"] and not credentials.get("password_hash"):
        raise Invalid(
            "credentials.ssh_keys",
            [],
            "nobody could log in: give SSH keys, or store some with POST /api/v1/ssh-keys",
            "public keys as ssh-keygen writes them",
        )
    return credentials


def _check_fit(node: Node, image: Image) -> None:
    if image.arch != node.arch or (node.firmware and node.firmware not in image.boot):
        raise Invalid(
            "image",
            image.name,
            f"image {image.name} is for {image.arch} with {' or '.join(image.boot)}, "
            f"and node {node.name} is {node.arch} with {node.firmware}",
        )


def _chosen_disk(node: Node, wanted: str | None) -> str:
    serials = [disk.serial for disk in node.disks if disk.serial]
    if wanted is not None:
        if wanted not in serials:
            raise Invalid("root_disk", wanted, f"node {node.name} has no disk with the serial {wanted!r}", serials)
        return wanted
    if node.root_disk is None:
        raise root_disk.refuse(node.name, node.disks)
    return node.root_disk


def deploy(
    session: Session,
    services: Services,
    allocation: Allocation,
    actor: str,
    *,
    image: str | None = None,
    hostname: str | None = None,
    root_disk_serial: str | None = None,
    credentials: dict[str, Any] | None = None,
) -> Operation:
    """Ask for the deployment of an allocation; what is not given stays as it was at the allocation.

    :raises Invalid: no image, one that does not fit the node, or nobody who could log in
    :raises AmbiguousRootDisk: the node has several disks to choose from
    """
    node = _node_of(session, allocation)
    allocation.image = image or allocation.image
    if allocation.image is None:
        raise Invalid("image", None, "name the image to deploy", [])
    chosen = find_image(session, allocation.image)
    _check_fit(node, chosen)
    allocation.hostname = check_hostname("hostname", hostname) if hostname else allocation.hostname
    allocation.root_disk = root_disk_serial or allocation.root_disk
    login = credentials if credentials is not None else services.vault.decrypt_document(allocation.credentials)
    login = complete_credentials(session, allocation.user_id, login)
    allocation.credentials = services.vault.encrypt_document(login)
    operation = request_operation(
        session,
        services.settings,
        node,
        "deploy",
        actor,
        allocation=allocation,
        parameters={
            "image": chosen.name,
            "root_disk": _chosen_disk(node, allocation.root_disk),
            "hostname": allocation.hostname,
            "ssh_user": login.get("user") or chosen.default_user,
        },
    )
    allocation.state = "deploying"
    allocation.reason = None
    allocation.address = None
    allocation.host_keys = []
    allocation.activated_at = None
    return operation


def _held_node(session: Session, allocation: Allocation) -> Node | None:
    """The allocation's node, both held until the transaction ends; None when the allocation is released."""
    if allocation.state == "released" or allocation.node_id is None or allocation.node_name is None:
        return None
    node = find_node(session, allocation.node_name)
    hold(session, node)
    hold(session, allocation)
    return None if allocation.state == "released" else node


def _node_of(session: Session, allocation: Allocation) -> Node:
    node = _held_node(session, allocation)
    if node is None:
        raise Conflict(f"allocation {allocation.name!r} is {allocation.state}", field="state", value=allocation.state)
    return node


def release(session: Session, services: Services, allocation: Allocation, actor: str) -> Operation | None:
    """Ask for the release of an allocation; None when it is released already. Asking twice is asking once.

    :raises OperationRunning: its deployment is under way
    """
    if allocation.state == "waiting":
        hold(session, allocation)
        if allocation.state == "waiting":
            give_up(session, allocation, f"cancelled by {actor}", actor)
            return None
    node = _held_node(session, allocation)
    if node is None:
        return None
    running = open_operation(session, node.id)
    if running is not None and running.kind == "release":
        return find_operation(session, running.id)
    if running is not None:
        raise busy(node, running)
    operation = request_operation(session, services.settings, node, "release", actor, allocation=allocation)
    allocation.state = "releasing"
    allocation.reason = None
    return operation


def annotate(
    session: Session, allocation: Allocation, note: str | None, annotations: dict[str, str | None], actor: str
) -> None:
    """Write a note (when it is not None) and annotations beside an allocation; one that is null goes.

    :raises Conflict: it is released: what was written ended with it
    """
    if allocation.state == "released":
        raise Conflict(f"allocation {allocation.name!r} is released", field="state", value=allocation.state)
    after = merged(allocation.annotations, annotations)
    note = allocation.note if note is None else note
    if (note, after) != (allocation.note, allocation.annotations):
        allocation.note, allocation.annotations = note, after
        session.flush()
        record(session, "allocation.annotated", actor, allocation=allocation, note=note, annotations=annotations)


def give_up(session: Session, allocation: Allocation, reason: str, actor: str) -> None:
    """Let an allocation that stands in line leave it, and end."""
    allocation.state = "released"
    allocation.reason = reason
    allocation.released_at = clock.now()
    allocation.credentials = None
    allocation.due_at = None
    record(session, "allocation.wait-ended", actor, allocation=allocation, reason=reason)
    touch(session, f"allocation:{allocation.id}")


def held_allocation(session: Session, node: Node) -> Allocation | None:
    """The allocation that holds a node."""
    return session.scalar(
        select(Allocation)
        .where(Allocation.node_id == node.id, Allocation.state != "released")
        .options(joinedload(Allocation.user))
    )


def request_for_node(
    session: Session,
    services: Services,
    caller: Caller,
    node: Node,
    kind: str,
    parameters: dict[str, Any],
    *,
    by_hand: bool = False,
) -> Operation:
    """Ask for an operation by the node's name: an operator for any of the pool, a user for the node that is theirs.

    :param by_hand: for administrators: workers leave it to a playbook that claims it by the node's name
    :raises Forbidden: the node is not the caller's, or only an administrator may do that
    """
    if by_hand and not caller.is_admin:
        raise Forbidden("only an administrator runs an operation's playbook by hand")
    operation = _request(session, services, caller, node, kind, parameters)
    if by_hand and operation.state == "queued":
        operation.heartbeat = False
        say(session, operation, "waits for a playbook that is run by hand and claims it")
    return operation


def _request(
    session: Session, services: Services, caller: Caller, node: Node, kind: str, parameters: dict[str, Any]
) -> Operation:
    hold(session, node)
    allocation = held_allocation(session, node)
    holds = allocation is not None and allocation.user_id == caller.user_id
    operates = may(session, caller, OPERATE, node.pool_id)
    if not operates and (not holds or kind == "commission"):
        raise Forbidden(f"{kind} of node {node.name} is for whoever operates its pool, or for whoever holds the node")
    if kind == "deploy":
        if allocation is None:
            raise Conflict(
                f"nobody holds node {node.name}: allocate it first (POST /api/v1/allocations)", field="kind", value=kind
            )
        need_holder(caller, allocation)
        wanted = {name: parameters.get(name) for name in ("image", "hostname", "credentials")}
        return deploy(
            session, services, allocation, caller.actor, root_disk_serial=parameters.get("root_disk"), **wanted
        )
    if parameters and not operates:
        raise Forbidden(f"parameters of {kind} are for whoever operates the node's pool")
    if kind == "release" and allocation is not None:
        operation = release(session, services, allocation, caller.actor)
        if operation is not None:
            return operation
    return request_operation(session, services.settings, node, kind, caller.actor, parameters=parameters)
