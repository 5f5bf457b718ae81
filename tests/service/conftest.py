"""A real service for each test: tables made by the migrations, secrets in files, requests by WSGI."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inventory_service.config import Settings
from inventory_service.setup import initialise
from tests.service.world import World


@pytest.fixture(scope="session")
def prepared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory as ``inventory-service init`` makes it, with an engine's database too; tests work on copies."""
    directory = tmp_path_factory.mktemp("prepared") / "state"
    settings = Settings(state_dir=directory)
    initialise(settings)
    world = World(settings)
    world.start_engine()
    world.close()
    return directory


@pytest.fixture
def make_world(prepared_directory: Path, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a world with settings of one's own; ``engine=False`` leaves operations unwatched."""
    worlds: list[World] = []

    def make(*, engine: bool = True, **settings: Any) -> World:
        directory = tmp_path / f"state{len(worlds)}"
        shutil.copytree(prepared_directory, directory)
        world = World(Settings(state_dir=directory, **settings))
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
