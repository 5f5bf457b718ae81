"""A real service for each test: tables made by the migrations, secrets in files, requests by WSGI.

Every test of the service can run on SQLite and on PostgreSQL: ``--database`` says on which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory_service import clock
from inventory_service.config import Settings
from tests.conftest import DATABASES
from tests.service.databases import Databases, PostgresqlDatabases, SqliteDatabases
from tests.service.world import World


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a database on each that was chosen."""
    if "databases" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        kinds = DATABASES if chosen == "both" else (chosen,)
        metafunc.parametrize("databases", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The kind of database that this run of the test uses, with one that is prepared to be copied."""
    kind = SqliteDatabases if request.param == "sqlite" else PostgresqlDatabases
    made = kind(tmp_path_factory.mktemp("prepared") / "state")
    yield made
    made.remove()


@pytest.fixture
def make_settings(databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Makes the settings of a service of its own, prepared as ``inventory-service init`` does it."""
    made: list[Settings] = []

    def make(**settings: Any) -> Settings:
        made.append(databases.copy(tmp_path / f"state{len(made)}", **settings))
        return made[-1]

    yield make
    for one in made:
        databases.drop(one.database)


@pytest.fixture
def make_world(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., World]]:
    """Makes a world with settings of one's own; ``engine=False`` leaves operations unwatched."""
    worlds: list[World] = []

    def make(*, engine: bool = True, **settings: Any) -> World:
        world = World(make_settings(**settings))
        worlds.append(world)
        if engine:
            world.start_engine()
        return world

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A service whose operations are watched by the engine."""
    return make_world()


@pytest.fixture
def still_world(make_world: Callable[..., World]) -> World:
    """A service without its engine: rows stay as requests leave them."""
    return make_world(engine=False)


@pytest.fixture
def empty_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    url = databases.empty(tmp_path)
    yield url
    databases.drop(url)


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., datetime]:
    """Sets the service's clock to so long after the test began; the answer is that moment."""
    began = clock.now()

    def set_to(**after: float) -> datetime:
        moment = began + timedelta(**after)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    return set_to
