"""The whole inventory as one document, out and in."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, json, request

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.schemas.transfer import Import, Imported
from inventory_service.transfer.run import export_document, import_document
from inventory_service.transfer.text import dump, load

bp = APIBlueprint("transfer", __name__, url_prefix="/api/v1", tag="Inventory")
by_token(bp, "admin", "user")

YAML = "application/yaml"
"""RFC 9512."""


@bp.get("/inventory-export")
@bp.doc(responses={200: "The document, as YAML, or as JSON where the header Accept prefers it."})
@needs("administrator")
def export_inventory() -> Response:
    """Everything that people say of the inventory: places, networks, nodes, rights. No secrets."""
    with services().database.read() as session:
        document = export_document(session)
    if request.accept_mimetypes.best_match([YAML, "application/json"]) == "application/json":
        return Response(json.dumps(document, indent=1), content_type="application/json")
    return Response(dump(document), content_type=YAML)


@bp.post("/inventory-import")
@bp.input(Import, location="query", arg_name="wanted")
@bp.output(Imported)
@needs("administrator")
def import_inventory(wanted: Import) -> dict[str, Any]:
    """Make the inventory what the body says (YAML or JSON as the export answers it), or tell what that would change.

    Kinds and fields that are left out stay. One transaction: a fault names its place, and nothing is changed.
    """
    who, parts = caller(), services()
    document = load(request.get_data())
    return import_document(parts, document, who.actor, prune=wanted.prune, dry_run=wanted.dry_run)
