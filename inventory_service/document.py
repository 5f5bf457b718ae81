"""The API's document as it is committed: without a database, the same text every time."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from inventory_service.config import Settings


def openapi_document() -> str:
    """OpenAPI 3.1 in JSON."""
    from inventory_service.app import create_app
    from inventory_service.db import Database
    from inventory_service.services import Services
    from inventory_service.vault import Vault, create_key_file

    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(state_dir=Path(directory))
        create_key_file(settings.vault_key_file)
        app = create_app(Services(settings, Database(settings.database), Vault(settings.vault_key_file)))
        with app.app_context():
            return json.dumps(app.spec, indent=1, sort_keys=True) + "\n"
