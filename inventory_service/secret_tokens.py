"""Random secrets that are shown once and kept as their SHA-256: they have the entropy that a slow hash makes up for."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_token(prefix: str = "") -> str:
    """256 random bits, safe in a URL."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """The SHA-256 of a secret, in hex: what the database keeps."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str | None, kept: str | None) -> bool:
    """Whether a secret is the one whose digest was kept, in constant time."""
    return bool(secret and kept) and hmac.compare_digest(digest(secret or ""), kept or "")
