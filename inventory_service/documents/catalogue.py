"""An image and a pool's policy as answers show them."""

from __future__ import annotations

from typing import Any

from inventory_service.models import Image, Pool

POLICIES = (
    "lease_required",
    "lease_default_seconds",
    "lease_max_seconds",
    "lease_total_seconds",
    "lease_notice_seconds",
    "lease_grace_seconds",
    "queue_order",
    "set_aside",
)


def image_document(image: Image) -> dict[str, Any]:
    """An image."""
    return {
        "name": image.name,
        "os": image.os,
        "version": image.version,
        "arch": image.arch,
        "url": image.url,
        "format": image.format,
        "sha256": image.sha256,
        "size_bytes": image.size_bytes,
        "disk_bytes": image.disk_bytes,
        "default_user": image.default_user,
        "boot": image.boot,
        "created_at": image.created_at,
    }


def pool_document(pool: Pool) -> dict[str, Any]:
    """A pool with its policy; an empty list of erase methods allows all."""
    return {
        "name": pool.name,
        "description": pool.description,
        "wait_in_ephemeral": pool.wait_in_ephemeral,
        "erase_methods": pool.erase_methods,
        "weak_boot_token": pool.weak_boot_token,
        "auto_accept": pool.auto_accept,
        "default_role": pool.default_role,
        **{column: getattr(pool, column) for column in POLICIES},
    }
