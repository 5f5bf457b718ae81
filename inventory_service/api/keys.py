"""A user's own SSH keys, and who one is."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import delete, select

from inventory_service import clock
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import part
from inventory_service.api.schemas.catalogue import SshKey as SshKeyOut
from inventory_service.api.schemas.catalogue import SshKeyIn, SshKeys, Whoami
from inventory_service.api.schemas.common import Page
from inventory_service.events import record
from inventory_service.models import Group, GroupMember, Pool, SshKey
from inventory_service.problems import NotFound
from inventory_service.rights import rights_of

bp = APIBlueprint("keys", __name__, url_prefix="/api/v1", tag="Users")
by_token(bp)


def _document(key: SshKey) -> dict[str, Any]:
    return {"name": key.name, "key": key.key, "created_at": key.created_at}


@bp.get("/whoami")
@bp.output(Whoami)
@needs("anyone")
def whoami() -> dict[str, Any]:
    """Whom the token or the session belongs to, the user's groups, and the role in each pool that the user sees."""
    with services().database.read() as session:
        in_group = select(GroupMember.group_id).where(GroupMember.user_id == caller().user_id)
        groups = list(session.scalars(select(Group.name).where(Group.id.in_(in_group)).order_by(Group.name)))
        roles = rights_of(session, caller()).roles
        names = dict(session.execute(select(Pool.id, Pool.name).order_by(Pool.name)).all())
    pools = {name: roles[pool_id] for pool_id, name in names.items() if roles.get(pool_id, "none") != "none"}
    who = caller()
    return {"user": who.user, "role": who.role, "scope": who.scope, "rack": who.rack, "groups": groups, "pools": pools}


@bp.get("/ssh-keys")
@bp.input(Page, location="query", arg_name="page")
@bp.output(SshKeys)
@needs("anyone")
def list_keys(page: Page) -> dict[str, Any]:
    """The caller's keys, by name; they are used when a request names none."""
    query = select(SshKey).where(SshKey.user_id == caller().user_id).order_by(SshKey.name)
    query = query.where(SshKey.name > page.after) if page.after else query
    with services().database.read() as session:
        keys, following = part(session, query, page.limit, lambda one: one.name)
    return {"items": [_document(key) for key in keys], "next": following}


@bp.post("/ssh-keys")
@bp.input(SshKeyIn, arg_name="wanted")
@bp.output(SshKeyOut, status_code=201)
@bp.doc(responses={200: "A key of that name was there; it is this one now."})
@needs("anyone")
def add_key(wanted: SshKeyIn) -> tuple[dict[str, Any], int]:
    """Store a public key, or replace the one of that name."""
    who = caller()
    name = wanted.name or next(iter(wanted.key.split()[2:]), "") or "default"
    with services().database.write() as session:
        key = session.scalar(select(SshKey).where(SshKey.user_id == who.user_id, SshKey.name == name))
        new = key is None
        if key is None:
            key = SshKey(user_id=who.user_id, name=name, key=wanted.key, created_at=clock.now())
            session.add(key)
        if new or key.key != wanted.key:
            key.key = wanted.key
            record(session, "ssh-key.stored", who.actor, user=who.user, name=name)
        session.flush()
        return _document(key), 201 if new else 200


@bp.delete("/ssh-keys/<name>")
@bp.output({}, status_code=204)
@needs("anyone")
def remove_key(name: str) -> str:
    """Forget a key; systems that are deployed keep it."""
    who = caller()
    with services().database.write() as session:
        gone = session.execute(
            delete(SshKey).where(SshKey.user_id == who.user_id, SshKey.name == name).returning(SshKey.id)
        ).first()
        if gone is None:
            raise NotFound("ssh-key", name)
        record(session, "ssh-key.removed", who.actor, user=who.user, name=name)
    return ""
