"""A node's BMC. Passwords are encrypted by ``vault.py`` before they come here."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from inventory_service.models.base import Base


class Bmc(Base):
    """How to reach a BMC, and the account that is proved to work.

    The ``pending_*`` columns hold an account that is being made: until it is proved, either may be the one that works.
    """

    __tablename__ = "bmc"

    node_id: Mapped[int] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(default="ipmi")
    address: Mapped[str] = mapped_column(index=True)
    port: Mapped[int] = mapped_column(default=623)
    mac: Mapped[str | None]
    username: Mapped[str | None]
    password: Mapped[str | None]
    pending_address: Mapped[str | None]
    pending_port: Mapped[int | None]
    pending_username: Mapped[str | None]
    pending_password: Mapped[str | None]
