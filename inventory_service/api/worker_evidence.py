"""What a claimed operation found and proved."""

from __future__ import annotations

from apiflask import APIBlueprint

from inventory_service.api.authentication import by_token, services
from inventory_service.api.schemas.worker import BmcAccountIn, ErasuresIn, FactsIn, FindingsIn, PowerIn, ScriptResultsIn
from inventory_service.api.worker_progress import reporting
from inventory_service.operations import evidence

bp = APIBlueprint("worker_evidence", __name__, url_prefix="/api/v1/operations/<operation_id>", tag="Worker")
by_token(bp, "worker", "admin")


@bp.put("/facts")
@bp.input(FactsIn, arg_name="report")
@bp.output({}, status_code=204)
def put_facts(operation_id: str, report: FactsIn) -> str:
    """Store the hardware inventory of a commissioning; columns are filled from it."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.store_facts(session, operation, report.facts)
    return ""


@bp.post("/erasures")
@bp.input(ErasuresIn, arg_name="report")
@bp.output({}, status_code=204)
def post_erasures(operation_id: str, report: ErasuresIn) -> str:
    """Record erased disks: a release succeeds only with a verified one for every disk."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.add_erasures(session, operation, [item.model_dump() for item in report.items])
    return ""


@bp.post("/script-results")
@bp.input(ScriptResultsIn, arg_name="report")
@bp.output({}, status_code=204)
def post_script_results(operation_id: str, report: ScriptResultsIn) -> str:
    """Keep what a site's own scripts and tasks said."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.add_script_results(session, operation, [item.model_dump() for item in report.items])
    return ""


@bp.put("/bmc")
@bp.input(BmcAccountIn, arg_name="report")
@bp.output({}, status_code=204)
def put_bmc(operation_id: str, report: BmcAccountIn) -> str:
    """Keep the BMC account that is being made (pending), or make it the node's (proved)."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.set_account(session, services().vault, operation, report.model_dump())
    return ""


@bp.post("/power")
@bp.input(PowerIn, arg_name="report")
@bp.output({}, status_code=204)
def post_power(operation_id: str, report: PowerIn) -> str:
    """The node's power state as it was read back."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.set_power(session, operation, report.power_state)
    return ""


@bp.post("/findings")
@bp.input(FindingsIn, arg_name="report")
@bp.output({}, status_code=204)
def post_findings(operation_id: str, report: FindingsIn) -> str:
    """What was found on the way, such as a changed firmware: events."""
    with reporting(operation_id, report.epoch) as (session, operation):
        evidence.add_findings(session, operation, [item.model_dump() for item in report.items])
    return ""
