"""The databases that the service is tested on: each makes fresh ones cheaply, by copying one that is prepared."""

from __future__ import annotations

import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from inventory_service.config import Settings
from inventory_service.setup import initialise
from tests.service.postgresql import Cluster
from tests.service.world import World


class Databases(ABC):
    """One kind of database."""

    processes = 1
    """How many serve."""

    def __init__(self, prepared: Path) -> None:
        """Prepare a service as ``inventory-service init`` does, with an engine's tables too.

        :param prepared: its state directory, which is made
        """
        self._prepared = Settings(state_dir=prepared, database_url=self.first_url())
        initialise(self._prepared)
        world = World(self._prepared)
        world.start_engine()
        world.close()

    @abstractmethod
    def first_url(self) -> str:
        """The ``database_url`` of the service that is prepared."""

    @abstractmethod
    def copy_database(self, prepared: Settings) -> str:
        """The ``database_url`` of a copy of the prepared database."""

    @abstractmethod
    def empty(self, directory: Path) -> str:
        """The URL of a new database without tables."""

    @abstractmethod
    def away(self, settings: Settings) -> AbstractContextManager[None]:
        """While it lasts, the service cannot write: the server is down, or another process holds the files."""

    def copy(self, directory: Path, **settings: Any) -> Settings:
        """A prepared service of its own in a directory, which is made."""
        database = {} if "database_url" in settings else {"database_url": self.copy_database(self._prepared)}
        shutil.copytree(self._prepared.state_dir, directory)
        return Settings(state_dir=directory, **{"processes": self.processes} | database | settings)

    def make_durable(self) -> None:  # noqa: B027 - SQLite's files always are
        """From now on what is committed reaches the disk before it is answered."""

    def drop(self, url: str) -> None:  # noqa: B027 - files go with their directory
        """Forget a database."""

    def remove(self) -> None:  # noqa: B027 - nothing to stop
        """Forget everything."""


class SqliteDatabases(Databases):
    """Files in the state directory, as a service has them by default."""

    def first_url(self) -> str:
        return ""

    def copy_database(self, prepared: Settings) -> str:
        return ""

    def empty(self, directory: Path) -> str:
        return f"sqlite:///{directory / 'database.sqlite'}"

    @contextmanager
    def away(self, settings: Settings) -> Iterator[None]:
        files = [str(make_url(url).database) for url in (settings.database, settings.engine_database)]
        with ExitStack() as stack:
            for file in files:
                other = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None, timeout=30)))
                other.execute("BEGIN IMMEDIATE")
            yield


class PostgresqlDatabases(Databases):
    """A server of one's own; commits are not flushed to the disk, which tells no test anything."""

    processes = 2

    def __init__(self, prepared: Path) -> None:
        self.cluster = Cluster()
        try:
            super().__init__(prepared)
        except BaseException:
            self.cluster.remove()
            raise

    def first_url(self) -> str:
        return self.cluster.create()

    def copy_database(self, prepared: Settings) -> str:
        return self.cluster.create(str(make_url(prepared.database).database))

    def empty(self, directory: Path) -> str:
        return self.cluster.create()

    @contextmanager
    def away(self, settings: Settings) -> Iterator[None]:
        self.cluster.stop()
        yield
        self.cluster.start()

    def make_durable(self) -> None:
        self.cluster.stop()
        self.cluster.durable = True
        self.cluster.start()

    def drop(self, url: str) -> None:
        self.cluster.drop(url)

    def remove(self) -> None:
        self.cluster.remove()
