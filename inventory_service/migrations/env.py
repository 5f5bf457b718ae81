"""Alembic's environment: the service's own tables, batch mode because SQLite alters tables by copying them."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import text

from inventory_service.db import make_engine
from inventory_service.models import Base
from inventory_service.models.base import UtcDateTime


def _render(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our own type as what it is in the database: a migration must not change when the models do."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    """Run the migrations on the database that the caller named."""
    engine = make_engine(context.config.attributes["url"])
    try:
        with engine.connect().execution_options(write=True) as connection:
            sqlite = connection.dialect.name == "sqlite"
            if sqlite:
                # A table that is altered by copying is dropped, and its rows would take along what refers to them.
                connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                compare_type=True,
                render_item=_render,
                transaction_per_migration=False,
            )
            with context.begin_transaction():
                if not sqlite:
                    # However long it takes: the limits are for requests.
                    connection.execute(text("SET LOCAL lock_timeout = 0"))
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(7146)"))
                context.run_migrations()
                if sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
                    raise RuntimeError(f"the migration breaks references: {broken}")
    finally:
        engine.dispose()


run()
