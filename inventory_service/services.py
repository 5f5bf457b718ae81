"""What the rules need to work: settings, database, vault. Made once a process, passed on explicitly."""

from __future__ import annotations

from dataclasses import dataclass, field

from inventory_service.auth import ensure_rack
from inventory_service.changes import Changes
from inventory_service.config import Settings
from inventory_service.cost import set_weights
from inventory_service.db import PATIENCE, Database, alone, newest_revision, revision_of, upgrade
from inventory_service.places import ensure_pool, ensure_zone
from inventory_service.sandbox import Sandbox
from inventory_service.turns import Turns
from inventory_service.vault import Vault

RUNNING = 4
"""How many requests run at once. One interpreter does no more by switching between more of them, only later; while one
of these waits for the disk, another one has it."""


@dataclass(frozen=True)
class Services:
    """The parts that live as long as the process."""

    settings: Settings
    database: Database
    vault: Vault
    sandbox: Sandbox = field(default_factory=Sandbox)
    running: Turns = field(default_factory=lambda: Turns(RUNNING, PATIENCE))

    @property
    def changes(self) -> Changes:
        return self.database.changes


def open_upgraded(settings: Settings) -> Services:
    """Open everything; the tables of an older version are brought up to date first."""
    database = Database(settings.database)
    stands_at = revision_of(database.engine)
    database.close()
    if stands_at != newest_revision():
        upgrade(settings.database)
    return open_services(settings)


def open_services(settings: Settings) -> Services:
    """Open everything; the default zone, pool and rack are made when they are missing."""
    services = Services(settings, Database(settings.database), Vault(settings.vault_key_file))
    with services.database.write() as session:
        alone(session, "defaults")
        ensure_zone(session, settings.default_zone)
        ensure_pool(session, settings.default_pool)
        ensure_rack(session, settings.default_rack, "engine")
    set_weights(services.database, settings.cost_weights)
    return services
