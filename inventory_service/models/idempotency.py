"""Answers that are given again when the same request comes twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class IdempotencyKey(Base):
    """What a user's request with this key was answered, written in the transaction that did the work.

    ``fingerprint`` is the SHA-256 of method, path and body: the same key with another request is an error.
    """

    __tablename__ = "idempotency_key"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
