"""The images that can be deployed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.events import record
from inventory_service.models import Allocation, Image
from inventory_service.problems import Conflict, Invalid, NotFound


def find_image(session: Session, name: str) -> Image:
    """The image that a request names.

    :raises Invalid: there is none of that name (the answer lists what there is)
    """
    image = session.scalar(select(Image).where(Image.name == name))
    if image is None:
        names = session.scalars(select(Image.name).order_by(Image.name)).all()
        said = f"there is no image {name!r}" if name else "name the image to deploy"
        raise Invalid("image", name or None, said, names)
    return image


def put_image(session: Session, values: dict[str, Any], actor: str) -> tuple[Image, bool]:
    """Register an image, or bring the one of that name up to date; says whether it is new."""
    image = session.scalar(select(Image).where(Image.name == values["name"]))
    if image is None:
        image = Image(created_at=clock.now(), **values)
        session.add(image)
        record(session, "image.added", actor, image=image.name, sha256=image.sha256)
        return image, True
    changed = [name for name, value in values.items() if getattr(image, name) != value]
    for name in changed:
        setattr(image, name, values[name])
    if changed:
        record(session, "image.changed", actor, image=image.name, changed=changed, sha256=image.sha256)
    return image, False


def delete_image(session: Session, name: str, actor: str) -> None:
    """Forget an image; not while it is being deployed."""
    image = session.scalar(select(Image).where(Image.name == name))
    if image is None:
        raise NotFound("image", name)
    busy = session.scalars(
        select(Allocation.name).where(Allocation.image == name, Allocation.state.in_(("allocated", "deploying")))
    ).all()
    if busy:
        raise Conflict(
            f"image {name!r} is being deployed by {', '.join(busy)}: wait for it to end", field="image", value=name
        )
    session.delete(image)
    record(session, "image.deleted", actor, image=name)
