"""Prepare a state directory: keys, certificates, tables, the first administrator. Doing it again changes nothing."""

from __future__ import annotations

from sqlalchemy import select

from inventory_service.auth import ensure_user
from inventory_service.config import Settings
from inventory_service.db import upgrade
from inventory_service.models import Token
from inventory_service.services import open_services
from inventory_service.tls import ensure_certificates
from inventory_service.tokens import create_token
from inventory_service.vault import create_key_file, write_secret

_ANY = ("0.0.0.0", "::")  # noqa: S104 - these name no host, so no certificate names them


def initialise(settings: Settings) -> list[str]:
    """Make what is missing; says what it made."""
    made: list[str] = []
    settings.state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    if create_key_file(settings.vault_key_file):
        made.append(f"key of the vault: {settings.vault_key_file} (keep a copy apart from the database's)")
    if settings.tls:
        names = [*settings.server_names, settings.listen_address]
        made += ensure_certificates(settings.tls_dir, [name for name in names if name not in _ANY])
    upgrade(settings.database)
    services = open_services(settings)
    with services.database.write() as session:
        if session.scalar(select(Token.id).where(Token.role == "admin").limit(1)) is None:
            unused, secret = create_token(session, ensure_user(session, "admin", "init"), "admin", "init")
            write_secret(settings.admin_token_file, secret + "\n")
            made.append(f"first administrator's token: {settings.admin_token_file}")
    services.database.close()
    return made
