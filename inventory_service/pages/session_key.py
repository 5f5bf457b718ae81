"""The pages' session cookie, and the key that signs it; a file beside the vault's."""

from __future__ import annotations

import secrets

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from inventory_service.config import Settings
from inventory_service.vault import write_secret


class PageSessions(SecureCookieSessionInterface):
    """Sessions for the pages: whoever comes with a token, or boots, has none, and pays for none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a request; None where there is none."""
        return None if request.path.startswith(("/api/", "/boot/")) else super().open_session(app, request)


def read(settings: Settings) -> str:
    """The key; made when there is none."""
    path = settings.session_key_file
    if not path.exists():
        write_secret(path, secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()
