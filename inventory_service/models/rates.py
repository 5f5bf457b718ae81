"""What is counted for a minute."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class RateCount(Base):
    """How often something happened in one minute. On PostgreSQL it is not logged: a crash may forget it."""

    __tablename__ = "rate_count"

    what: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    hits: Mapped[int]
