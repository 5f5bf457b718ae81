"""Users, groups and grants as records; what follows from them stands in ``rights.py``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from inventory_service import clock
from inventory_service.auth import check_name
from inventory_service.db import alone, hold
from inventory_service.events import record
from inventory_service.models import Grant, Group, GroupMember, LoginSession, Pool, User
from inventory_service.problems import Conflict, Invalid, NotFound
from inventory_service.rights import GRANTED

_HIGHEST = (1 << 63) - 1


def find_user(session: Session, name: str, field: str | None = None) -> User:
    """The user of that name.

    :param field: where a request names the user; None when its path does
    :raises NotFound: the path names nobody
    :raises Invalid: the field names nobody
    """
    user = session.scalar(select(User).where(User.name == name))
    if user is None and field is None:
        raise NotFound("user", name)
    if user is None:
        raise Invalid(field or "user", name, f"there is no user {name!r}", "the name of a user, as GET /api/v1/users lists")
    return user


def change_user(
    session: Session, user: User, actor: str, *, administrator: bool | None = None, disabled: bool | None = None
) -> User:
    """Make a user an administrator or none, or let nothing of the user in any more; what is None stays.

    :raises Conflict: nobody would be left who can undo it
    """
    before = user.administrator, user.disabled_at is not None
    if administrator is not None:
        user.administrator = administrator
    if disabled is not None and disabled != before[1]:
        user.disabled_at = clock.now() if disabled else None
    if before == (user.administrator, user.disabled_at is not None):
        return user
    if disabled:
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
    session.flush()
    alone(session, "administrators")
    if session.scalar(select(User.id).where(User.administrator, User.disabled_at.is_(None)).limit(1)) is None:
        raise Conflict("no administrator would be left", field="user", value=user.name)
    record(
        session, "user.changed", actor, user=user.name, administrator=user.administrator, disabled=user.disabled_at is not None
    )
    return user


def find_group(session: Session, name: str, field: str | None = None) -> Group:
    """The group of that name, with its members.

    :param field: where a request names the group; None when its path does
    :raises NotFound: the path names none
    :raises Invalid: the field names none
    """
    group = session.scalar(select(Group).where(Group.name == name).options(selectinload(Group.members)))
    if group is None and field is None:
        raise NotFound("group", name)
    if group is None:
        raise Invalid(field or "group", name, f"there is no group {name!r}", "the name of a group, as GET /api/v1/groups lists")
    return group


def put_group(
    session: Session, name: str, actor: str, *, description: str | None = None, members: Sequence[str] | None = None
) -> Group:
    """Make a group, or change the one of that name; what is None stays.

    :param members: the names of all who shall be in it
    """
    group = session.scalar(select(Group).where(Group.name == name).options(selectinload(Group.members)))
    if group is None:
        group = Group(name=check_name("group", name), members=[])
        session.add(group)
        session.flush()
        record(session, "group.added", actor, group=name)
    if description is not None:
        group.description = description
    if members is not None:
        wanted = {member: find_user(session, member, "members") for member in members}
        before = {user.name for user in group.members}
        group.members = [wanted[member] for member in sorted(wanted)]
        added, removed = sorted(wanted.keys() - before), sorted(before - wanted.keys())
        if added or removed:
            record(session, "group.members-changed", actor, group=name, added=added, removed=removed)
    session.flush()
    return group


def set_member(session: Session, group: Group, user: User, actor: str, *, member: bool) -> None:
    """Put a user into a group, or take the user out of it; nothing happens when it is so already."""
    hold(session, group)
    found = session.get(GroupMember, (group.id, user.id))
    if (found is not None) == member:
        return
    session.expire(group, ["members"])
    if found is not None:
        session.delete(found)
    else:
        session.add(GroupMember(group_id=group.id, user_id=user.id))
    group.version = Group.version + 1
    added, removed = ([user.name], []) if member else ([], [user.name])
    record(session, "group.members-changed", actor, group=group.name, added=added, removed=removed)
    session.flush()


def delete_group(session: Session, group: Group, actor: str) -> None:
    """Forget a group, and with it what was granted to it."""
    record(session, "group.deleted", actor, group=group.name, members=[user.name for user in group.members])
    session.delete(group)


def put_grant(
    session: Session, actor: str, role: str, *, user: str | None = None, group: str | None = None, pool: str | None = None
) -> Grant:
    """Grant a role to a user or to a group, in one pool or, without one, in all; it replaces what was granted there.

    :raises Invalid: no such role, pool, user or group, or not exactly one of user and group
    """
    if role not in GRANTED:
        raise Invalid("role", role, f"{role!r} cannot be granted; administrators are users that are made so", GRANTED)
    if (user is None) == (group is None):
        raise Invalid("user", user, "a grant is to one user or to one group", "either user or group")
    subject = find_user(session, user, "user") if user is not None else find_group(session, group or "", "group")
    place = session.scalar(select(Pool).where(Pool.name == pool)) if pool is not None else None
    if pool is not None and place is None:
        known = session.scalars(select(Pool.name).order_by(Pool.name)).all()
        raise Invalid("pool", pool, f"there is no pool {pool!r}", known)
    hold(session, subject)
    column = Grant.user_id if isinstance(subject, User) else Grant.group_id
    grant = session.scalar(
        select(Grant).where(column == subject.id, Grant.pool_id.is_(None) if place is None else Grant.pool_id == place.id)
    )
    if grant is None:
        grant = Grant(
            user_id=subject.id if isinstance(subject, User) else None,
            group_id=subject.id if isinstance(subject, Group) else None,
            pool_id=place.id if place else None,
            role="",
        )
        session.add(grant)
    if grant.role != role:
        grant.role = role
        record(session, "grant.given", actor, role=role, user=user, group=group, pool=pool)
    session.flush()
    return find_grant(session, grant.id)


def whole_grant() -> tuple[ExecutableOption, ...]:
    """Loader options for a grant with whom and where."""
    return (joinedload(Grant.user), joinedload(Grant.group), joinedload(Grant.pool))


def find_grant(session: Session, number: int) -> Grant:
    """The grant of that number, whole.

    :raises NotFound: there is none
    """
    query = select(Grant).where(Grant.id == min(number, _HIGHEST))
    grant = session.scalar(query.options(*whole_grant()))
    if grant is None:
        raise NotFound("grant", number)
    return grant


def delete_grant(session: Session, grant: Grant, actor: str) -> None:
    """Take a role away."""
    record(
        session,
        "grant.taken",
        actor,
        role=grant.role,
        user=grant.user.name if grant.user else None,
        group=grant.group.name if grant.group else None,
        pool=grant.pool.name if grant.pool else None,
    )
    session.delete(grant)
