"""Images and pools."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.catalogue import Image as ImageOut
from inventory_service.api.schemas.catalogue import ImageIn, Images, PoolChange, Pools
from inventory_service.api.schemas.catalogue import Pool as PoolOut
from inventory_service.documents.catalogue import image_document, pool_document
from inventory_service.images import delete_image, put_image
from inventory_service.models import Image, Pool
from inventory_service.named import remove
from inventory_service.pools import set_policy
from inventory_service.problems import Conflict
from inventory_service.rights import visible_pools

bp = APIBlueprint("catalogue", __name__, url_prefix="/api/v1", tag="Catalogue")
by_token(bp)


def _delete_image(session: Session, image: Image, actor: str) -> None:
    delete_image(session, image.name, actor)


def _put_pool(session: Session, name: str, values: dict[str, Any], actor: str) -> None:
    set_policy(session, name, values, actor)


def _remove_pool(session: Session, pool: Pool, actor: str) -> None:
    if pool.name == services().settings.default_pool:
        why = f"pool {pool.name!r} is where new nodes are put: name another in default_pool first"
        raise Conflict(why, field="name", value=pool.name)
    remove(session, pool, actor)


add_views(
    bp,
    Records(
        "image", "images", Image, ImageOut, Images, lambda _session, row: image_document(row),
        remove=_delete_image,
        lists="The images that can be deployed, by name.",
        removes="Forget an image; its file on the rack stays.",
    ),
    Records(
        "pool", "pools", Pool, PoolOut, Pools, lambda _session, row: pool_document(row),
        visible=lambda session: visible_pools(session, caller()), reader="viewer",
        change=PoolChange, put=_put_pool, remove=_remove_pool,
        lists="The pools with their policies, by name.", shows="Show one pool with its policy.",
        puts="Set a pool's policy; the pool is made when there is none of that name.",
        removes="Delete a pool that no node is in.",
    ),
)  # fmt: skip


@bp.post("/images")
@bp.input(ImageIn, arg_name="wanted")
@bp.output(ImageOut, status_code=201)
@bp.doc(responses={200: "An image of that name was there; it is up to date now."})
@needs("administrator")
def register_image(wanted: ImageIn) -> tuple[dict[str, Any], int]:
    """Register an image, or bring the one of that name up to date."""
    who = caller()
    with services().database.write() as session:
        image, new = put_image(session, wanted.model_dump(), who.actor)
        return image_document(image), 201 if new else 200
