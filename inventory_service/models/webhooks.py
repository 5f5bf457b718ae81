"""Where events are sent to, and what became of each attempt."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base, Versioned

_PENDING = text("state = 'pending'")


class Webhook(Versioned, Base):
    """An address that gets events. ``passed`` is the number of the last event that was looked at for it; ``secret`` is encrypted."""

    __tablename__ = "webhook"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    filter: Mapped[str] = mapped_column(default="")
    secret: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)
    passed: Mapped[int]
    created_at: Mapped[datetime]


class WebhookDelivery(Base):
    """One event for one address; ``due_at`` is when it is tried next."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_delivery_due_at", "due_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index("ix_webhook_delivery_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    status: Mapped[int | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    webhook: Mapped[Webhook] = relationship(lazy="raise")
