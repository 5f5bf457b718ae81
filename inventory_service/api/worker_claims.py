"""Where a rack's worker gets its work."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select

from inventory_service.api.authentication import by_token, caller, services
from inventory_service.api.schemas.worker import Claim, ClaimIn
from inventory_service.api.waiting import wait_for
from inventory_service.documents.claim import claim_document
from inventory_service.models import Rack
from inventory_service.operations.claim import claim_next, claimable
from inventory_service.problems import NotFound

bp = APIBlueprint("worker_claims", __name__, url_prefix="/api/v1", tag="Worker")
by_token(bp, "worker", "admin")


@bp.post("/racks/<rack>/claims")
@bp.input(ClaimIn, arg_name="wanted")
@bp.output(Claim)
@bp.doc(responses={204: "Nothing to do; ask again."})
def claim(rack: str, wanted: ClaimIn) -> dict[str, Any] | Response:
    """Take the next operation of a rack, or of one node of it; waits for one for so many seconds."""
    parts, who = services(), caller()
    who.need_rack(rack)
    with parts.database.read() as session:
        rack_id = session.scalar(select(Rack.id).where(Rack.name == rack))
    if rack_id is None:
        raise NotFound("rack", rack)
    waiting = claimable(rack_id, wanted.node).limit(1)

    def look() -> dict[str, Any] | None:
        with parts.database.read() as session:
            if session.scalar(waiting) is None:
                return None
        with parts.database.write() as session:
            operation = claim_next(
                session,
                parts.settings,
                who,
                session.get_one(Rack, rack_id),
                ssh_public_key=wanted.ssh_public_key,
                node=wanted.node,
                heartbeat=wanted.heartbeat,
            )
            return claim_document(session, parts.vault, operation) if operation else None

    return wait_for(f"rack:{rack_id}", look, wanted.wait) or Response(status=204)
