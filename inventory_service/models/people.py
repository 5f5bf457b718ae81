"""Who may use the service: users, their tokens and SSH keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base
from inventory_service.models.places import Rack


class User(Base):
    """A person or a program. A worker's user holds tokens that are bound to one rack."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class Token(Base):
    """An API token: only its SHA-256 is kept, and the last four characters to tell it apart."""

    __tablename__ = "token"
    __table_args__ = (CheckConstraint("role IN ('admin', 'user', 'worker')", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    rack_id: Mapped[int | None] = mapped_column(ForeignKey("rack.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
    rack: Mapped[Rack | None] = relationship(lazy="raise")


class SshKey(Base):
    """A public key that is put on a user's nodes when a request names none."""

    __tablename__ = "ssh_key"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    name: Mapped[str]
    key: Mapped[str]
    created_at: Mapped[datetime]
