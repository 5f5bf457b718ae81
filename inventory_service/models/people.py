"""Who may use the service: users, groups, what was granted to them, and users' SSH keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory_service.models.base import Base, Versioned
from inventory_service.models.places import Pool


class User(Base):
    """A person or a program. A worker's user holds tokens that are bound to one rack.

    An administrator may do everything in all pools; whoever is disabled is let in by nothing.
    """

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    administrator: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None]


class Group(Versioned, Base):
    """Users who have rights together."""

    __tablename__ = "user_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")

    members: Mapped[list[User]] = relationship(secondary="group_member", lazy="raise", order_by="User.name")


class GroupMember(Base):
    """A user is in a group."""

    __tablename__ = "group_member"

    group_id: Mapped[int] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Grant(Base):
    """A role of a user or of a group, in one pool, or in all of them when ``pool_id`` is null."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'user', 'operator')", name="role"),
        CheckConstraint("(user_id IS NULL) != (group_id IS NULL)", name="subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"), index=True)
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]

    user: Mapped[User | None] = relationship(lazy="raise")
    group: Mapped[Group | None] = relationship(lazy="raise")
    pool: Mapped[Pool | None] = relationship(lazy="raise")


_EVERY_USER = text("user_id IS NULL")


class Quota(Versioned, Base):
    """How much one user may hold of one pool; without a user, how much each user may for whom no other row stands."""

    __tablename__ = "quota"
    __table_args__ = (
        UniqueConstraint("pool_id", "user_id"),
        Index("uq_quota_every_user", "pool_id", unique=True, sqlite_where=_EVERY_USER, postgresql_where=_EVERY_USER),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    nodes: Mapped[int | None]
    cpus: Mapped[int | None]
    memory_bytes: Mapped[int | None]

    pool: Mapped[Pool] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")


class SshKey(Base):
    """A public key that is put on a user's nodes when a request names none."""

    __tablename__ = "ssh_key"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    name: Mapped[str]
    key: Mapped[str]
    created_at: Mapped[datetime]
