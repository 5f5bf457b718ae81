"""The key that signs the pages' session cookie; a file beside the vault's."""

from __future__ import annotations

import secrets

from inventory_service.config import Settings
from inventory_service.vault import write_secret


def read(settings: Settings) -> str:
    """The key; made when there is none."""
    path = settings.session_key_file
    if not path.exists():
        write_secret(path, secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()
