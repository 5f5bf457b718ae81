"""Nodes: list, add, show, change, delete."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import answer, fields_of, selected
from inventory_service.api.schemas.nodes import Node as NodeOut
from inventory_service.api.schemas.nodes import NodeChange, NodeFilter, NodeIn, Nodes, StateChange, WholeNode
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.node import node_document, node_documents
from inventory_service.filters import NODES
from inventory_service.models import Node
from inventory_service.node_records import add_node, change_node, check_change, delete_node, find_visible_node, take_out
from inventory_service.rights import OPERATE, need, rights_of, visible
from inventory_service.set_aside import mark_fixed

bp = APIBlueprint("nodes", __name__, url_prefix="/api/v1", tag="Nodes")
by_token(bp)


def _sees_bmc(session: Session) -> bool | list[int]:
    who = caller()
    return True if who.role in ("admin", "worker") else rights_of(session, who).pools(OPERATE)


@bp.get("/nodes")
@bp.input(NodeFilter, location="query", arg_name="wanted")
@bp.output(Nodes)
@needs("anyone")
def list_nodes(wanted: NodeFilter) -> dict[str, Any] | Response:
    """List nodes, by name unless sorted otherwise. `state`, `zone` and so on are short for the same words in `filter`."""
    fields = fields_of(NodeOut, wanted.fields)
    with services().database.read() as session:
        query = select(Node.id).where(*visible(session, caller()))
        ids, following = selected(session, NODES, query, wanted)
        return answer(NodeOut, node_documents(session, ids, with_bmc=_sees_bmc(session), only=fields), fields, following)


@bp.post("/nodes")
@bp.input(NodeIn, arg_name="wanted")
@bp.output(WholeNode, status_code=201)
@needs("administrator")
@versioned
def create_node(wanted: NodeIn) -> dict[str, Any]:
    """Add a node by hand; it is `new`, and untouched until it is commissioned."""
    who, parts = caller(), services()
    with parts.database.write() as session:
        node = add_node(session, parts.settings, parts.vault, wanted.model_dump(), who.actor)
        show_version(node)
        return node_document(session, node.id, with_bmc=True)


@bp.get("/nodes/<name>")
@bp.output(WholeNode)
@needs("viewer")
@versioned
def show_node(name: str) -> dict[str, Any]:
    """Show one node."""
    with services().database.read() as session:
        node = find_visible_node(session, caller(), name, whole=False)
        show_version(node)
        return node_document(session, node.id, with_bmc=_sees_bmc(session))


@bp.patch("/nodes/<name>")
@bp.input(NodeChange, arg_name="wanted")
@bp.output(WholeNode)
@needs("operator")
@versioned
def patch_node(name: str, wanted: NodeChange) -> dict[str, Any]:
    """Change what a person may change of a node; its state changes by operations only."""
    who, parts = caller(), services()
    values = wanted.model_dump(exclude_unset=True)
    for required in (
        "name",
        "arch",
        "zone",
        "pool",
        "rack",
        "tags",
        "interfaces",
        "comment",
        "annotations",
        "disks",
        "locked",
        "weak_boot_token",
    ):
        if required in values and values[required] is None:
            del values[required]
    with parts.database.write() as session:
        node = find_visible_node(session, caller(), name)
        check_change(session, who, node, values)
        need_version(session, node)
        show_version(node)
        change_node(session, parts.vault, node, values, who.actor)
        return node_document(session, node.id, with_bmc=True)


@bp.delete("/nodes/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_node(name: str) -> str:
    """Forget a node that nobody holds; the machine itself is not touched."""
    who = caller()
    with services().database.write() as session:
        node = find_visible_node(session, caller(), name)
        need_version(session, node)
        delete_node(session, node, who.actor)
    return ""


@bp.post("/nodes/<name>/state")
@bp.input(StateChange, arg_name="wanted")
@bp.output(WholeNode)
@needs("operator")
@versioned
def change_state(name: str, wanted: StateChange) -> dict[str, Any]:
    """Take a node out of use: set it aside as `broken`, or retire it. Say that a broken one is fixed, commission or
    release it to bring it back.
    """
    who = caller()
    with services().database.write() as session:
        node = find_visible_node(session, caller(), name)
        need(session, who, OPERATE, node)
        need_version(session, node)
        show_version(node)
        if wanted.verb == "mark_fixed":
            mark_fixed(session, node, wanted.comment, who.actor)
        else:
            take_out(session, node, wanted.verb, wanted.comment, who.actor)
        return node_document(session, node.id, with_bmc=True)
