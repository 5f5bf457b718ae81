"""Options of the tests."""

from __future__ import annotations

import pytest

DATABASES = ("sqlite", "postgresql")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*DATABASES, "both"),
        default="sqlite",
        help="what the tests of the service run on; make test runs them on both",
    )
