"""The boot endpoints. They know a machine by what it shows, never by its address alone."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from inventory_service.api.authentication import by_other, services
from inventory_service.api.errors import problem_response
from inventory_service.api.waiting import wait_for
from inventory_service.boot.schemas import CheckInIn, CheckInOut, EnlistIn, EnlistOut, EnlistWaitIn, EnlistWaitOut
from inventory_service.boot.script import Machine, decide, render
from inventory_service.boot.source import boot_base_url, limit, source_address
from inventory_service.enlist import Enlisted, accepted_boot, enlist, hand_over
from inventory_service.node_records import normal_mac, normal_uuid
from inventory_service.operations.boots import CheckIn, check_in, phone_home
from inventory_service.problems import Invalid, Problem

BODY_BYTES = 64 * 1024
"""What a machine may say at once: nobody vouches for it."""

bp = APIBlueprint("boot", __name__, url_prefix="/boot", tag="Boot")
by_other(bp, "proof", "a machine that boots holds no token; it shows a nonce from its BMC, or a one-shot token")


@bp.before_request
def _limit() -> None:
    request.max_content_length = BODY_BYTES
    limit("boot", services().settings.boot_requests_per_minute)


def _address(said: str | None) -> str | None:
    """The address that a machine says it has.

    :raises Invalid: it is none
    """
    if not said:
        return None
    try:
        return str(ip_address(said))
    except ValueError:
        raise Invalid("address", said, f"{said!r} is not an IP address") from None


@bp.get("/ipxe")
@bp.doc(responses={200: "An iPXE script"})
def ipxe() -> Response:
    """The iPXE script of a machine: `mac`, `uuid`, `platform` (efi or pcbios) as iPXE's settings give them."""
    said = request.args
    mac = normal_mac("mac", said["mac"]) if said.get("mac") else None
    uuid = normal_uuid("uuid", said.get("uuid"))
    if mac is None and uuid is None:
        raise Invalid("mac", None, "say which machine asks: mac or uuid")
    machine = Machine(mac=mac, uuid=uuid, platform="efi" if said.get("platform") == "efi" else "pcbios")
    parts = services()
    with parts.database.read() as session:
        weak_or_armed = decide(session, parts, machine)
        session.rollback()
    if weak_or_armed.token:
        with parts.database.write() as session:
            weak_or_armed = decide(session, parts, machine)
    return Response(render(weak_or_armed, machine, boot_base_url()), content_type="text/plain; charset=utf-8")


@bp.post("/checkin")
@bp.input(CheckInIn, arg_name="said")
@bp.output(CheckInOut)
def checkin(said: CheckInIn) -> dict[str, Any] | Response:
    """The ephemeral OS is up and proves for which boot; the answer is whom it is to let in."""
    parts, source = services(), source_address()
    heard = CheckIn(
        boot=said.boot,
        nonce=said.nonce.lower() if said.nonce else None,
        token=said.token,
        host_key=" ".join(said.host_key.split()[:2]),
        address=_address(said.address) or source,
        uuid=normal_uuid("uuid", said.uuid),
        boot_mac=normal_mac("boot_mac", said.boot_mac) if said.boot_mac else None,
        macs=tuple(normal_mac("macs", mac) for mac in said.macs),
    )
    with parts.database.write() as session:
        answer = check_in(session, parts.vault, heard, source)
    if isinstance(answer, Problem):
        return problem_response(answer)
    return {"authorized_keys": answer}


@bp.post("/enlist")
@bp.input(EnlistIn, arg_name="said")
@bp.output(EnlistOut, status_code=201)
def enlist_machine(said: EnlistIn) -> tuple[dict[str, str], int] | Response:
    """An unknown machine says what it is; it becomes a new node, or goes on waiting when it is one."""
    parts, source = services(), source_address()
    limit("enlist", parts.settings.enlist_requests_per_minute)
    with parts.database.write() as session:
        answer = enlist(session, parts, said.model_dump(), source)
    if not isinstance(answer, Enlisted):
        return problem_response(answer)
    return {"claim": answer.claim, "node": answer.node}, 201 if answer.new else 200


@bp.post("/enlist/wait")
@bp.input(EnlistWaitIn, arg_name="said")
@bp.output(EnlistWaitOut)
@bp.doc(responses={204: "Not accepted yet; ask again.", 410: "The claim is over."})
def enlist_wait(said: EnlistWaitIn) -> dict[str, Any] | Response:
    """Wait to be accepted; the answer is the boot to check in for."""
    parts = services()
    with parts.database.read() as session:
        node_id, _boot = accepted_boot(session, said.claim)

    def look() -> dict[str, Any] | None:
        with parts.database.read() as session:
            if accepted_boot(session, said.claim)[1] is None:
                return None
        with parts.database.write() as session:
            return hand_over(session, parts, said.claim)

    return wait_for(f"boots:{node_id}", look, said.wait) or Response(status=204)


@bp.post("/phone-home/<token>")
@bp.doc(responses={204: "Heard."})
def phone_home_view(token: str) -> Response:
    """The installed system is up; it says its host keys, as JSON or as cloud-init's phone_home module posts them."""
    said: dict[str, Any] = request.get_json(silent=True) or {} if request.is_json else {}
    keys = said.get("host_keys") or [value for name, value in request.form.items() if name.startswith("pub_key_")]
    host_keys = [" ".join(key.split()[:2]) for key in keys if isinstance(key, str) and len(key.split()) >= 2]
    if not host_keys:
        raise Invalid("host_keys", keys, "no host key: nobody could verify a connection", "host_keys, or pub_key_*")
    source = source_address()
    address = _address(said.get("address")) or source
    with services().database.write() as session:
        refused = phone_home(session, token, address, host_keys, source)
    return problem_response(refused) if refused else Response(status=204)
