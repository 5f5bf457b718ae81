"""What lets somebody in: API tokens, passwords, and the sessions of those who signed in. No secret stands in it as it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base
from inventory_service.models.people import User
from inventory_service.models.places import Rack


class Token(Base):
    """An API token: only its SHA-256 is kept, and the last four characters to tell it apart.

    ``role`` is what it makes of its user, ``scope`` how much of that it may be used for.
    """

    __tablename__ = "token"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'user', 'worker', 'metrics')", name="role"),
        CheckConstraint("scope IN ('read', 'allocate', 'operate', 'admin')", name="scope"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(default="")
    role: Mapped[str]
    scope: Mapped[str]
    rack_id: Mapped[int | None] = mapped_column(ForeignKey("rack.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
    rack: Mapped[Rack | None] = relationship(lazy="raise")


class Password(Base):
    """A user's password, as its argon2id hash; a table of its own, so that nobody who shows a user can show it."""

    __tablename__ = "password"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    argon2: Mapped[str]
    changed_at: Mapped[datetime]


class LoginSession(Base):
    """Somebody is signed in: the cookie's SHA-256, until when, by what, and from where. It ends when the row goes.

    One that an API token began is worth what the token is, and ends with it.
    """

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("token.id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    method: Mapped[str]
    address: Mapped[str]
    agent: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_used_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="raise")
    token: Mapped[Token | None] = relationship(lazy="raise")
