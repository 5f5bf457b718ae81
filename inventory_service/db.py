"""The database: the only file that knows its dialect.

SQLite runs in WAL mode with ``synchronous=FULL``: what was answered survives a power cut. Writers begin with
``BEGIN IMMEDIATE``, one at a time; a read transaction is never turned into a write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.orm import Session, sessionmaker

from inventory_service.changes import Changes

_TOPICS = "changed topics"
_MIGRATIONS = Path(__file__).parent / "migrations"


def make_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=4, max_overflow=8)
    engine = create_engine(url, pool_size=8, max_overflow=64, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
            "cache_size=-8192",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


class Database:
    """Sessions on one engine; what a write touched is announced once it is committed."""

    def __init__(self, url: str, changes: Changes | None = None) -> None:
        self.engine = make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.changes = changes or Changes()
        self._session = sessionmaker(self.engine, expire_on_commit=False)
        self._writing = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that must not write."""
        with self._session() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back when an exception leaves it."""
        # On SQLite, queueing for this lock is fair and quick; waiting in SQLite's busy handler is neither.
        with self._writing if self.is_sqlite else nullcontext(), self._session() as session:
            session.connection(execution_options={"write": True})
            yield session
            session.commit()
            topics = session.info.get(_TOPICS)
        if topics:
            self.changes.announce(topics)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def touch(session: Session, *topics: str) -> None:
    """Say that this transaction changes something that others may wait for."""
    session.info.setdefault(_TOPICS, set()).update(topics)


def migrations_config(url: str) -> Any:
    """Alembic's configuration for the service's own migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database's tables up to a revision."""
    from alembic import command

    command.upgrade(migrations_config(url), revision)


def revision_of(engine: Engine) -> str | None:
    """The revision that the database stands at; None when it has no tables."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def newest_revision() -> str:
    """The newest revision that this version of the service knows: migrations are numbered files in one line."""
    return max(file.name[:4] for file in _MIGRATIONS.glob("versions/[0-9]*.py"))
