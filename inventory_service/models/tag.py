"""A tag that is known by itself: described, or defined by an expression over the facts of nodes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base, Versioned


class Tag(Versioned, Base):
    """With an ``expression`` (Jinja2) the service keeps the tag's nodes up to date; ``error`` says why it could not."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    expression: Mapped[str | None]
    error: Mapped[str | None]
    evaluated_at: Mapped[datetime | None]
