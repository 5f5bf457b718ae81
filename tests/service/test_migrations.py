"""The tables that the migrations make are those of the models, up and down."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from inventory_service.db import make_engine, migrations_config, newest_revision, revision_of
from inventory_service.models import Base

VERSIONS = Path(__file__).parents[2] / "inventory_service" / "migrations" / "versions"


def _tables(url: str) -> dict[str, list[str]]:
    engine = make_engine(url)
    try:
        found = inspect(engine)
        return {name: sorted(column["name"] for column in found.get_columns(name)) for name in found.get_table_names()}
    finally:
        engine.dispose()


def test_head_is_the_models(empty_url: str) -> None:
    command.upgrade(migrations_config(empty_url), "head")
    engine = make_engine(empty_url)
    with engine.connect() as connection:
        difference = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )
    engine.dispose()
    assert difference == []


def test_up_and_down_leaves_nothing(empty_url: str) -> None:
    config = migrations_config(empty_url)
    command.upgrade(config, "head")
    tables = _tables(empty_url)
    command.downgrade(config, "base")
    assert set(_tables(empty_url)) == {"alembic_version"}
    command.upgrade(config, "head")
    assert _tables(empty_url) == tables


def test_each_revision_goes_back_to_the_one_before(empty_url: str) -> None:
    config = migrations_config(empty_url)
    for revision in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        before = _tables(empty_url)
        command.upgrade(config, revision.revision)
        after = _tables(empty_url)
        command.downgrade(config, revision.down_revision or "base")
        assert {name: columns for name, columns in _tables(empty_url).items() if name != "alembic_version"} == {
            name: columns for name, columns in before.items() if name != "alembic_version"
        }
        command.upgrade(config, revision.revision)
        assert _tables(empty_url) == after


def test_revisions_are_numbered_in_one_line(empty_url: str) -> None:
    files = sorted(file.name for file in VERSIONS.glob("*.py"))
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", name) for name in files)
    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    scripts = ScriptDirectory.from_config(migrations_config(empty_url))
    assert scripts.get_current_head() == newest_revision() == files[-1][:4]


def test_database_knows_where_it_stands(empty_url: str) -> None:
    engine = make_engine(empty_url)
    assert revision_of(engine) is None
    command.upgrade(migrations_config(empty_url), "head")
    assert revision_of(engine) == newest_revision()
    engine.dispose()
