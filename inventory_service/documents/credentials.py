"""Tokens and sessions as answers show them."""

from __future__ import annotations

from typing import Any

from inventory_service.models import LoginSession, Token


def token_document(token: Token) -> dict[str, Any]:
    """A token, loaded with whose it is."""
    return {
        "id": token.id,
        "name": token.name,
        "user": token.user.name,
        "role": token.role,
        "scope": token.scope,
        "rack": token.rack.name if token.rack else None,
        "hint": token.hint,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }


def session_document(one: LoginSession, user: str, *, current: bool) -> dict[str, Any]:
    """A session.

    :param current: whether it is the one that asks
    """
    return {
        "id": one.id,
        "user": user,
        "method": one.method,
        "address": one.address,
        "agent": one.agent,
        "created_at": one.created_at,
        "last_used_at": one.last_used_at,
        "expires_at": one.expires_at,
        "current": current,
    }
