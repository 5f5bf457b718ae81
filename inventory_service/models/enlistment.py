"""What an unknown machine said about itself: a claim that nobody has checked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Enlistment(Base):
    """The claim by which one machine waits to be accepted; the secret is kept as its SHA-256."""

    __tablename__ = "enlistment"

    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), primary_key=True)
    claim_sha256: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str] = mapped_column(index=True)
    document: Mapped[dict[str, Any]]
    at: Mapped[datetime]
