"""The boots of a claimed operation: arm one, wait until it checks in, wait until the installed system phones home."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from inventory_service.api.authentication import by_token, services
from inventory_service.api.schemas.worker import ArmOut, AwaitBoot, CheckedIn, PhonedHome, PhoneHomeToken, Report
from inventory_service.api.waiting import wait_for
from inventory_service.api.worker_progress import need_own_rack, reporting
from inventory_service.operations.boots import (
    arm,
    boot_summary,
    checked_in_boot,
    leave_waiting,
    phone_home_token,
    phoned_home,
)
from inventory_service.operations.lookup import held_operation

bp = APIBlueprint("worker_boots", __name__, url_prefix="/api/v1/operations/<operation_id>", tag="Worker")
by_token(bp, "worker", "admin")


@bp.post("/arm")
@bp.input(Report, arg_name="report")
@bp.output(ArmOut)
def arm_boot(operation_id: str, report: Report) -> dict[str, str]:
    """Make the node's next boot the operation's; the nonce goes into its BMC. Older boots of the node die."""
    with reporting(operation_id, report.epoch) as (session, operation):
        armed = arm(session, services().vault, operation)
        return {"boot": armed.boot, "nonce": armed.nonce}


@bp.post("/waiting")
@bp.input(Report, arg_name="report")
@bp.output({}, status_code=204)
def post_waiting(operation_id: str, report: Report) -> str:
    """The node stays in the ephemeral OS when the operation has ended, for the next one to go on from."""
    with reporting(operation_id, report.epoch) as (session, operation):
        leave_waiting(session, operation)
    return ""


@bp.get("/checkin")
@bp.input(AwaitBoot, location="query", arg_name="wanted")
@bp.output(CheckedIn)
@bp.doc(responses={204: "Not yet; ask again."})
def await_check_in(operation_id: str, wanted: AwaitBoot) -> dict[str, Any] | Response:
    """Wait until the armed boot has checked in; the answer is where it is and its host key."""
    database = services().database

    def look() -> dict[str, Any] | None:
        with database.read() as session:
            need_own_rack(session, operation_id)
            operation = held_operation(session, operation_id, wanted.epoch, change=False)
            boot = checked_in_boot(session, operation.id, operation.epoch)
            return boot_summary(boot) if boot else None

    return wait_for(f"operation:{operation_id}", look, wanted.wait) or Response(status=204)


@bp.post("/phone-home-token")
@bp.input(Report, arg_name="report")
@bp.output(PhoneHomeToken)
def make_phone_home_token(operation_id: str, report: Report) -> dict[str, str]:
    """A one-shot address for the installed system to phone home to; older ones die."""
    with reporting(operation_id, report.epoch) as (session, operation):
        return {"url_path": f"/boot/phone-home/{phone_home_token(session, operation)}"}


@bp.get("/phone-home")
@bp.input(AwaitBoot, location="query", arg_name="wanted")
@bp.output(PhonedHome)
@bp.doc(responses={204: "Not yet; ask again."})
def await_phone_home(operation_id: str, wanted: AwaitBoot) -> dict[str, Any] | Response:
    """Wait until the installed system has phoned home."""
    database = services().database

    def look() -> dict[str, Any] | None:
        with database.read() as session:
            need_own_rack(session, operation_id)
            held_operation(session, operation_id, wanted.epoch, change=False)
            call = phoned_home(session, operation_id)
            return {"address": call.address, "host_keys": call.host_keys} if call else None

    return wait_for(f"operation:{operation_id}", look, wanted.wait) or Response(status=204)
