"""What is known about one node: facts, erasures, failures; and operations asked for by its name."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select

from inventory_service.allocation_requests import request_for_node
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.schemas.allocations import DeployIn
from inventory_service.api.schemas.common import Page
from inventory_service.api.schemas.nodes import Erasures, Facts, Failures
from inventory_service.api.schemas.operations import Operation as OperationOut
from inventory_service.api.schemas.operations import OperationIn
from inventory_service.documents.operation import operation_document
from inventory_service.models import Erasure, Failure, NodeFacts
from inventory_service.node_records import find_visible_node

bp = APIBlueprint("node_details", __name__, url_prefix="/api/v1", tag="Nodes")
by_token(bp)


@bp.get("/nodes/<name>/facts")
@bp.output(Facts)
@needs("viewer")
def show_facts(name: str) -> dict[str, Any]:
    """The hardware inventory of the node's last commissioning, as a document for people."""
    with services().database.read() as session:
        node = find_visible_node(session, caller(), name)
        stored = session.get(NodeFacts, node.id)
        return {
            "node": node.name,
            "operation": stored.operation_id if stored else None,
            "at": stored.at if stored else None,
            "facts": stored.document if stored else {},
        }


@bp.get("/nodes/<name>/erasures")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Erasures)
@needs("viewer")
def list_erasures(name: str, page: Page) -> dict[str, Any]:
    """The records of every erasure of the node's disks, the newest first."""
    with services().database.read() as session:
        query = select(Erasure).where(Erasure.node_id == find_visible_node(session, caller(), name).id).order_by(Erasure.id.desc())
        after = number(page.after)
        rows, following = part(
            session, query.where(Erasure.id < after) if after else query, page.limit, lambda one: one.id
        )
    fields = (
        "serial",
        "path",
        "method",
        "verified",
        "detail",
        "evidence",
        "started_at",
        "ended_at",
        "seconds",
        "recorded_at",
    )
    items = [{"operation": one.operation_id} | {name: getattr(one, name) for name in fields} for one in rows]
    return {"items": items, "next": following}


@bp.get("/nodes/<name>/failures")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Failures)
@needs("viewer")
def list_failures(name: str, page: Page) -> dict[str, Any]:
    """The operations that failed on the node, the newest first: what the rules of its pool count."""
    with services().database.read() as session:
        node = find_visible_node(session, caller(), name)
        query = select(Failure).where(Failure.node_id == node.id).order_by(Failure.id.desc())
        after = number(page.after)
        query = query.where(Failure.id < after) if after is not None else query
        rows, following = part(session, query, page.limit, lambda one: one.id)
    fields = ("kind", "reason", "at", "forgiven")
    items = [{"operation": one.operation_id} | {name: getattr(one, name) for name in fields} for one in rows]
    return {"items": items, "next": following}


@bp.post("/nodes/<name>/operations")
@bp.input(OperationIn, arg_name="wanted")
@bp.output(OperationOut, status_code=202)
@needs("holder")
def request_by_node(name: str, wanted: OperationIn) -> dict[str, Any]:
    """Ask for an operation. `commission` of a new node accepts it; asking again after a failure tries again."""
    parts, who = services(), caller()
    parameters = wanted.parameters
    if wanted.kind == "deploy":
        parameters = DeployIn.model_validate(parameters).model_dump()
    with parts.database.write() as session:
        node = find_visible_node(session, caller(), name)
        return operation_document(
            request_for_node(session, parts, who, node, wanted.kind, parameters, by_hand=wanted.by_hand)
        )
