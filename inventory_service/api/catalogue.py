"""Images and pools."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import part
from inventory_service.api.schemas.catalogue import Image as ImageOut
from inventory_service.api.schemas.catalogue import ImageIn, Images, PoolChange, Pools
from inventory_service.api.schemas.catalogue import Pool as PoolOut
from inventory_service.api.schemas.common import Page
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.catalogue import image_document, pool_document
from inventory_service.images import delete_image, put_image
from inventory_service.models import Image, Pool
from inventory_service.named import find, remove
from inventory_service.pools import set_policy
from inventory_service.problems import Conflict, NotFound
from inventory_service.rights import visible_pools

bp = APIBlueprint("catalogue", __name__, url_prefix="/api/v1", tag="Catalogue")
by_token(bp)


@bp.get("/images")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Images)
@needs("anyone")
def list_images(page: Page) -> dict[str, Any]:
    """The images that can be deployed, by name."""
    query = select(Image).order_by(Image.name)
    with services().database.read() as session:
        query = query.where(Image.name > page.after) if page.after else query
        rows, following = part(session, query, page.limit, lambda one: one.name)
    return {"items": [image_document(one) for one in rows], "next": following}


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


@bp.get("/images/<name>")
@bp.output(ImageOut)
@needs("anyone")
@versioned
def show_image(name: str) -> dict[str, Any]:
    """Show one image."""
    with services().database.read() as session:
        image = session.scalar(select(Image).where(Image.name == name))
        if image is None:
            raise NotFound("image", name)
        show_version(image)
        return image_document(image)


@bp.delete("/images/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_image(name: str) -> str:
    """Forget an image; its file on the rack stays."""
    who = caller()
    with services().database.write() as session:
        need_version(session, session.scalar(select(Image).where(Image.name == name)))
        delete_image(session, name, who.actor)
    return ""


@bp.get("/pools")
@bp.input(Page, location="query", arg_name="page")
@bp.output(Pools)
@needs("anyone")
def list_pools(page: Page) -> dict[str, Any]:
    """The pools with their policies, by name."""
    query = select(Pool).order_by(Pool.name)
    with services().database.read() as session:
        query = query.where(*visible_pools(session, caller()))
        query = query.where(Pool.name > page.after) if page.after else query
        rows, following = part(session, query, page.limit, lambda one: one.name)
    return {"items": [pool_document(one) for one in rows], "next": following}


@bp.get("/pools/<name>")
@bp.output(PoolOut)
@needs("viewer")
@versioned
def show_pool(name: str) -> dict[str, Any]:
    """Show one pool with its policy."""
    with services().database.read() as session:
        pool = session.scalar(select(Pool).where(Pool.name == name, *visible_pools(session, caller())))
        if pool is None:
            raise NotFound("pool", name)
        show_version(pool)
        return pool_document(pool)


@bp.put("/pools/<name>")
@bp.input(PoolChange, arg_name="wanted")
@bp.output(PoolOut)
@needs("administrator")
@versioned
def put_pool(name: str, wanted: PoolChange) -> dict[str, Any]:
    """Set a pool's policy; the pool is made when there is none of that name."""
    who = caller()
    with services().database.write() as session:
        need_version(session, session.scalar(select(Pool).where(Pool.name == name)))
        pool = set_policy(session, name, wanted.model_dump(exclude_unset=True), who.actor)
        show_version(pool)
        return pool_document(pool)


@bp.delete("/pools/<name>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_pool(name: str) -> str:
    """Delete a pool that no node is in."""
    who, parts = caller(), services()
    if name == parts.settings.default_pool:
        raise Conflict(f"pool {name!r} is where new nodes are put: name another in default_pool first", field="name", value=name)
    with parts.database.write() as session:
        pool = find(session, Pool, name)
        need_version(session, pool)
        remove(session, pool, who.actor)
    return ""
