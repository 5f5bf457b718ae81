"""The database: the only file that knows its dialect.

SQLite runs in WAL mode with ``synchronous=FULL``: what was answered survives a power cut. Writers begin with
``BEGIN IMMEDIATE``, one at a time; a read transaction is never turned into a write. On PostgreSQL (psycopg 3) writers
run side by side, and whoever loses a race is told so: see ``lost_a_race``.

A process uses few connections, and a thread has one of them at most; threads stand in line for them. Every wait inside
the database has an end as well, so that a request is answered while its client still listens.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, any_, create_engine, event, func, inspect, make_url, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.util import IdentitySet

from inventory_service.changes import Changes
from inventory_service.metrics import CONNECTIONS as CONNECTIONS_IN_USE
from inventory_service.models.base import Base, Versioned
from inventory_service.turns import LineTooLong, Turns

ALONE = "alone"
"""The execution option of a connection whose statements are each by themselves, without a transaction."""
_CONNECTION = "the connection of the transaction"
_TOPICS = "changed topics"
_AFTER = "what is done after the commit"
_COUNTED = "rows whose version the database has counted"
_MIGRATIONS = Path(__file__).parent / "migrations"


CONNECTIONS = 8
"""How many sessions a process has at once: more are slower, one interpreter does not keep even these busy."""
PATIENCE = 25.0
"""Seconds to wait for one's turn; clients give up after 30 or later."""
_POSTGRESQL = {
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",  # compiling takes longer than any statement of the service
}
_BUSY_SECONDS = 10
_PAUSE_SECONDS = 1.0
_LOG_PAGES = 8000
"""With so many pages of 4 KiB in SQLite's log it is moved into the file by whoever commits next, who waits for it meanwhile:
rarely, because it is moved in the background before there are so many (``Database.tidy``)."""
_USED = "used"
AWAY = (OperationalError, InterfaceError, PoolTimeout, LineTooLong)
"""What is raised while the database does not answer; it may a moment later."""
_LOST_RACES = ("40001", "40P01")


class _WithHints(SQLiteCompiler):
    """Passes hints on, which SQLAlchemy leaves out for SQLite: its planner does not see that an order ends a search early."""

    def get_from_hint_text(self, table: Any, text: Any) -> str | None:
        return text if isinstance(text, str) else None


def make_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL. The pool never makes anybody wait: that is what the line is for."""
    # What is said of a statement that failed does not say with which values.
    pool = {"pool_size": CONNECTIONS, "max_overflow": 4, "hide_parameters": True}
    if not url.startswith("sqlite"):
        options = [f"-c {name}={value}" for name, value in _POSTGRESQL.items()]
        options.append(str(make_url(url).query.get("options", "")))
        connect = {"connect_timeout": 5, "options": " ".join(options)}
        engine = create_engine(url, connect_args=connect, paramstyle="format", **pool)
        _ping_after_a_pause(engine)
        return engine
    engine = create_engine(url, connect_args={"check_same_thread": False}, **pool)
    engine.dialect.statement_compiler = _WithHints

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={int(_BUSY_SECONDS * 1000)}",
            "cache_size=-8192",
            f"wal_autocheckpoint={_LOG_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if not options.get(ALONE, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write", False) else "BEGIN")

    return engine


def _ping_after_a_pause(engine: Engine) -> None:
    """A connection that was not used for a while is tried first: the database may have been away meanwhile."""

    @event.listens_for(engine, "checkin")
    def _used(_connection: Any, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(_USED, 0.0) < _PAUSE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def lost_a_race(error: Exception) -> bool:
    """Whether a transaction failed because another one was quicker: run again, it sees what the other one did."""
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _LOST_RACES


class Unit(ExitStack):
    """One transaction for everything that a thread writes."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]], begin: Callable[[Session], None]):
        super().__init__()
        self._transaction = transaction
        self._begin = begin
        self.session: Session | None = None

    @contextmanager
    def joined(self) -> Iterator[Session]:
        """The session, in which others may have written already; whatever fails in it undoes all of it."""
        try:
            if self.session is None:
                session = self.enter_context(self._transaction())
                self._begin(session)
                self.session = session
            yield self.session
        except BaseException:
            self.session = None
            self.__exit__(*sys.exc_info())
            raise


class Database:
    """Sessions on one engine; what a write touched is announced once it is committed."""

    def __init__(self, url: str, changes: Changes | None = None) -> None:
        self.engine = make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        event.listen(self.engine, "checkout", lambda *_unused: CONNECTIONS_IN_USE.inc())
        event.listen(self.engine, "checkin", lambda *_unused: CONNECTIONS_IN_USE.dec())
        self.changes = changes or Changes()
        self.session_info: dict[str, Any] = {}
        """What every session carries in its ``info``."""
        # A statement that is alone needs no transaction around it.
        on_its_own = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._alone = self.engine.execution_options(**{ALONE: True}, **on_its_own)
        self._session = sessionmaker(self.engine, expire_on_commit=False, info=self.session_info)
        self.before_commit: Callable[[Session], None] = lambda _session: None
        self._unit: ContextVar[Unit | None] = ContextVar("unit", default=None)
        event.listen(self._session, "before_flush", _count_versions)
        self._connections = Turns(CONNECTIONS, PATIENCE)
        # On SQLite: waiting in its busy handler is neither fair nor quick. Who waits here holds no connection.
        self._writing = Turns(1 if self.is_sqlite else CONNECTIONS, PATIENCE)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that must not write.

        :raises LineTooLong: too many wait for the database
        """
        unit = self._unit.get()
        if unit is not None and unit.session is not None:
            yield unit.session
            return
        with self._connections.turn(), self._session() as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """For queries that are each by themselves, and are asked before anything is written.

        :raises LineTooLong: too many wait for the database
        """
        with self._connections.turn(), self._alone.connect() as connection:
            yield connection

    def tidy(self) -> None:
        """Move SQLite's log into the file of the database, in nobody's way."""
        if self.is_sqlite:
            with self.look() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back when an exception leaves it.

        :raises LineTooLong: too many wait for the database
        """
        unit = self._unit.get()
        with self._transaction() if unit is None else unit.joined() as session:
            yield session

    @contextmanager
    def unit(self, begin: Callable[[Session], None]) -> Iterator[Unit]:
        """Everything that this thread writes meanwhile is ONE transaction: it begins with the first write and is
        committed at the end.

        :param begin: called as it begins
        """
        unit = Unit(self._transaction, begin)
        token = self._unit.set(unit)
        try:
            with unit:
                yield unit
        finally:
            self._unit.reset(token)

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with self._writing.turn(), self._connections.turn(), self._session() as session:
            session.info[_CONNECTION] = session.connection(execution_options={"write": True})
            yield session
            session.flush()
            self.before_commit(session)
            session.flush()
            _read_versions(session)
            session.commit()
            topics, after = session.info.get(_TOPICS), session.info.get(_AFTER, ())
        for work in after:
            work()
        if topics:
            self.changes.announce(topics)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _count_versions(session: Session, _context: Any, _instances: Any) -> None:
    counted = session.info.setdefault(_COUNTED, IdentitySet())
    for row in session.dirty:
        if isinstance(row, Versioned) and row not in counted and session.is_modified(row):
            row.version = type(row).version + 1
            counted.add(row)


def _read_versions(session: Session) -> None:
    for row in session.info.pop(_COUNTED, ()):
        if inspect(row).persistent:
            session.refresh(row, ["version"])


def hold(session: Session, row: Base) -> None:
    """Let nobody else change a row until this transaction ends, and read it again: it may have changed already.

    Who needs several holds the node first. On SQLite a writer is alone anyway.
    """
    session.refresh(row, [column.key for column in inspect(row).mapper.column_attrs], with_for_update=True)


def connection_of(session: Session) -> Connection:
    """The connection of a session's transaction, for statements that go past the ORM."""
    known = session.info.get(_CONNECTION)
    return known if isinstance(known, Connection) else session.connection()


def side_by_side(session: Session) -> bool:
    """Whether other transactions may write while this one does; on SQLite a writer is alone."""
    return bool(session.get_bind().dialect.name == "postgresql")


def among(session: Session, column: ColumnElement[int], ids: Select[int]) -> ColumnElement[bool]:
    """Whether a column is one of the ids that a query leads to, where these are few: they are found first.

    PostgreSQL would guess how many there are, and rather look at each row in its order when only the first is wanted.
    """
    return column == any_(func.array(ids.scalar_subquery())) if side_by_side(session) else column.in_(ids)


def number_of(what: str) -> int:
    """The number of the advisory lock that these words stand for."""
    return int.from_bytes(hashlib.blake2b(what.encode(), digest_size=8).digest(), signed=True)


def alone(session: Session, *what: str) -> None:
    """Let only one transaction at a time go on from here until it ends; on SQLite a writer is alone anyway.

    :param what: words for what nobody else may touch; several are held always in the same order
    """
    if side_by_side(session):
        numbers = sorted(map(number_of, what))
        locks = "SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number"
        session.execute(text(locks), {"numbers": numbers})


def after(session: Session, work: Callable[[], object]) -> None:
    """Do something that cannot fail once this transaction is committed, and not at all when it is not: to count it."""
    session.info.setdefault(_AFTER, []).append(work)


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
