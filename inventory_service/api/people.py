"""Users, groups, and the roles that are granted to them in pools: for administrators."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.records import Records, add_views
from inventory_service.api.schemas.people import Grant as GrantOut
from inventory_service.api.schemas.people import GrantFilter, GrantIn, Grants, GroupIn, Groups, UserChange, UserIn, Users
from inventory_service.api.schemas.people import Group as GroupOut
from inventory_service.api.schemas.people import User as UserOut
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.auth import ensure_user
from inventory_service.documents.people import grant_document, group_document, user_document
from inventory_service.models import Grant, Group, Pool, User
from inventory_service.people import (
    change_user,
    delete_grant,
    delete_group,
    find_grant,
    find_group,
    find_user,
    put_grant,
    put_group,
    set_member,
    whole_grant,
)

bp = APIBlueprint("people", __name__, url_prefix="/api/v1", tag="Users")
by_token(bp, "admin")


def _put_group(session: Session, name: str, values: dict[str, Any], actor: str) -> None:
    put_group(session, name, actor, **values)


add_views(
    bp,
    Records(
        "user", "users", User, UserOut, Users, lambda _session, row: user_document(row),
        reader="administrator", lister="administrator",
    ),
    Records(
        "group", "groups", Group, GroupOut, Groups, lambda _session, row: group_document(row),
        whole=(selectinload(Group.members),), reader="administrator", lister="administrator",
        change=GroupIn, put=_put_group, remove=delete_group,
        lists="The groups with their members, by name.",
        puts="Make a group, or change the one of that name.",
        removes="Forget a group and what was granted to it.",
    ),
)  # fmt: skip


@bp.post("/users")
@bp.input(UserIn, arg_name="wanted")
@bp.output(UserOut, status_code=201)
@bp.doc(responses={200: "A user of that name was there; nothing changed."})
@needs("administrator")
def add_user(wanted: UserIn) -> tuple[dict[str, Any], int]:
    """Add a user."""
    with services().database.write() as session:
        known = session.scalar(select(User.id).where(User.name == wanted.name)) is not None
        return user_document(ensure_user(session, wanted.name, caller().actor)), 200 if known else 201


@bp.patch("/users/<name>")
@bp.input(UserChange, arg_name="wanted")
@bp.output(UserOut)
@needs("administrator")
@versioned
def patch_user(name: str, wanted: UserChange) -> dict[str, Any]:
    """Make a user an administrator or none, or let nothing of the user in; it has effect from the next request on."""
    with services().database.write() as session:
        user = find_user(session, name)
        need_version(session, user)
        change_user(session, user, caller().actor, **wanted.model_dump())
        session.flush()
        show_version(user)
        return user_document(user)


def _set_member(name: str, user: str, *, member: bool) -> str:
    with services().database.write() as session:
        group = find_group(session, name)
        need_version(session, group)
        set_member(session, group, find_user(session, user), caller().actor, member=member)
    return ""


@bp.put("/groups/<name>/members/<user>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def add_member(name: str, user: str) -> str:
    """Put a user into a group."""
    return _set_member(name, user, member=True)


@bp.delete("/groups/<name>/members/<user>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def remove_member(name: str, user: str) -> str:
    """Take a user out of a group."""
    return _set_member(name, user, member=False)


@bp.get("/grants")
@bp.input(GrantFilter, location="query", arg_name="wanted")
@bp.output(Grants)
@needs("administrator")
def list_grants(wanted: GrantFilter) -> dict[str, Any]:
    """What was granted, the oldest first."""
    query = select(Grant).options(*whole_grant()).order_by(Grant.id)
    if wanted.user:
        query = query.where(Grant.user_id.in_(select(User.id).where(User.name == wanted.user)))
    if wanted.group:
        query = query.where(Grant.group_id.in_(select(Group.id).where(Group.name == wanted.group)))
    if wanted.pool:
        query = query.where(Grant.pool_id.in_(select(Pool.id).where(Pool.name == wanted.pool)))
    after = number(wanted.after)
    if after is not None:
        query = query.where(Grant.id > after)
    with services().database.read() as session:
        rows, following = part(session, query, wanted.limit, lambda one: one.id)
    return {"items": [grant_document(one) for one in rows], "next": following}


@bp.put("/grants")
@bp.input(GrantIn, arg_name="wanted")
@bp.output(GrantOut)
@needs("administrator")
def give_grant(wanted: GrantIn) -> dict[str, Any]:
    """Grant a role; it replaces what the same user or group was granted in the same place."""
    with services().database.write() as session:
        return grant_document(put_grant(session, caller().actor, **wanted.model_dump()))


@bp.get("/grants/<int:grant_id>")
@bp.output(GrantOut)
@needs("administrator")
@versioned
def show_grant(grant_id: int) -> dict[str, Any]:
    """Show one grant."""
    with services().database.read() as session:
        grant = find_grant(session, grant_id)
        show_version(grant)
        return grant_document(grant)


@bp.delete("/grants/<int:grant_id>")
@bp.output({}, status_code=204)
@needs("administrator")
@versioned
def take_grant(grant_id: int) -> str:
    """Take a role away."""
    with services().database.write() as session:
        grant = find_grant(session, grant_id)
        need_version(session, grant)
        delete_grant(session, grant, caller().actor)
    return ""
