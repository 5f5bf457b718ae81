"""Users, groups and grants. Tokens and keys are no part of it: an imported user has to be given a token."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from inventory_service.auth import ensure_user
from inventory_service.documents.people import grant_document, group_document
from inventory_service.models import Grant, Group, User
from inventory_service.people import delete_grant, delete_group, find_group, put_grant, put_group
from inventory_service.transfer import entries
from inventory_service.transfer.kind import Entry, Kind, Work


def _users(session: Session) -> list[Entry]:
    return [{"name": name} for name in session.scalars(select(User.name).order_by(User.name))]


def _add_user(work: Work, entry: Entry, _changed: Entry, _before: Entry | None) -> None:
    ensure_user(work.session, entry["name"], work.actor)


def _groups(session: Session) -> list[Entry]:
    query = select(Group).order_by(Group.name).options(selectinload(Group.members))
    return [group_document(one) for one in session.scalars(query)]


def _put_group(work: Work, entry: Entry, changed: Entry, _before: Entry | None) -> None:
    put_group(work.session, entry["name"], work.actor, **changed)


def _drop_group(work: Work, entry: Entry) -> None:
    delete_group(work.session, find_group(work.session, entry["name"]), work.actor)


def _all_grants(session: Session) -> list[Grant]:
    query = select(Grant).options(joinedload(Grant.user), joinedload(Grant.group), joinedload(Grant.pool))
    return list(session.scalars(query.order_by(Grant.id)))


def _grant_entry(grant: Grant) -> Entry:
    document = grant_document(grant)
    return {name: document[name] for name in ("user", "group", "pool", "role")}


def _grants(session: Session) -> list[Entry]:
    return sorted(map(_grant_entry, _all_grants(session)), key=GRANTS.key_of)


def _put_grant(work: Work, entry: Entry, _changed: Entry, _before: Entry | None) -> None:
    put_grant(work.session, work.actor, **{"role": ""} | entry)


def _drop_grant(work: Work, entry: Entry) -> None:
    for grant in _all_grants(work.session):
        if _grant_entry(grant) == entry:
            delete_grant(work.session, grant, work.actor)


USERS = Kind("users", entries.Name, _users, _add_user)
GROUPS = Kind("groups", entries.Group, _groups, _put_group, _drop_group)
GRANTS = Kind("grants", entries.Grant, _grants, _put_grant, _drop_grant, key=("user", "group", "pool"))
