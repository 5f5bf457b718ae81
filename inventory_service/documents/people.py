"""Users, groups and grants as answers show them."""

from __future__ import annotations

from typing import Any

from inventory_service.models import Grant, Group, User


def user_document(user: User) -> dict[str, Any]:
    """A user."""
    return {
        "name": user.name,
        "created_at": user.created_at,
        "administrator": user.administrator,
        "disabled_at": user.disabled_at,
    }


def group_document(group: Group) -> dict[str, Any]:
    """A group, loaded with its members."""
    return {"name": group.name, "description": group.description, "members": [user.name for user in group.members]}


def grant_document(grant: Grant) -> dict[str, Any]:
    """A grant, loaded with whom and where; without a pool it is for all pools."""
    return {
        "id": grant.id,
        "user": grant.user.name if grant.user else None,
        "group": grant.group.name if grant.group else None,
        "pool": grant.pool.name if grant.pool else None,
        "role": grant.role,
    }
