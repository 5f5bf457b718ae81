"""API tokens: one's own, and for administrators everybody's."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy import select

from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.lists import number, part
from inventory_service.api.schemas.credentials import NewToken, TokenFilter, TokenIn, Tokens
from inventory_service.api.schemas.credentials import Token as TokenOut
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.documents.credentials import token_document
from inventory_service.models import Rack, Token, User
from inventory_service.people import find_user
from inventory_service.problems import Forbidden, Invalid
from inventory_service.tokens import create_for, find_token, revoke_token, whole_token

bp = APIBlueprint("tokens", __name__, url_prefix="/api/v1", tag="Users")
by_token(bp, "admin", "user")


@bp.get("/tokens")
@bp.input(TokenFilter, location="query", arg_name="wanted")
@bp.output(Tokens)
@needs("account")
def list_tokens(wanted: TokenFilter) -> dict[str, Any]:
    """One's own tokens, the oldest first, the revoked ones too; an administrator's list is everybody's."""
    who = caller()
    query = select(Token).options(*whole_token()).order_by(Token.id).where(Token.id > (number(wanted.after) or 0))
    if not who.is_admin:
        query = query.where(Token.user_id == who.user_id)
    if wanted.user is not None:
        query = query.where(Token.user_id.in_(select(User.id).where(User.name == wanted.user)))
    with services().database.read() as session:
        rows, following = part(session, query, wanted.limit, lambda one: one.id)
    return {"items": [token_document(one) for one in rows], "next": following}


@bp.post("/tokens")
@bp.input(TokenIn, arg_name="wanted")
@bp.output(NewToken, status_code=201)
@needs("account")
def make_token(wanted: TokenIn) -> dict[str, Any]:
    """Make a token. The answer is the only place where it stands. It is worth no more than its user, and what asks for it."""
    who = caller()
    if not who.is_admin and (wanted.rack is not None or wanted.user not in (None, who.user)):
        raise Forbidden("only administrators make tokens of others, and of workers")
    with services().database.write() as session:
        rack = session.scalar(select(Rack).where(Rack.name == wanted.rack)) if wanted.rack is not None else None
        if wanted.rack is not None and rack is None:
            raise Invalid("rack", wanted.rack, f"there is no rack {wanted.rack!r}", session.scalars(select(Rack.name)).all())
        user = find_user(session, wanted.user or who.user, "user")
        token, secret = create_for(
            session, who, user, name=wanted.name, scope=wanted.scope, rack=rack, expires_at=wanted.expires_at
        )
        return token_document(find_token(session, who, token.id)) | {"token": secret}


@bp.get("/tokens/<int:token_id>")
@bp.output(TokenOut)
@needs("account")
@versioned
def show_token(token_id: int) -> dict[str, Any]:
    """Show what is kept of a token."""
    with services().database.read() as session:
        token = find_token(session, caller(), token_id)
        show_version(token)
        return token_document(token)


@bp.delete("/tokens/<int:token_id>")
@bp.output({}, status_code=204)
@needs("account")
@versioned
def revoke(token_id: int) -> str:
    """Revoke a token: from now on it opens nothing, nor does a session that it began. It stays in the list."""
    who = caller()
    with services().database.write() as session:
        token = find_token(session, who, token_id)
        need_version(session, token)
        revoke_token(session, token, who.actor)
    return ""
