"""An operating system that can be deployed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Image(Base):
    """A compressed disk image; sizes in bytes, the SHA-256 is of the compressed file."""

    __tablename__ = "image"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    os: Mapped[str]
    version: Mapped[str]
    arch: Mapped[str]
    url: Mapped[str]
    format: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    disk_bytes: Mapped[int]
    default_user: Mapped[str]
    boot: Mapped[list[str]]
    created_at: Mapped[datetime]
