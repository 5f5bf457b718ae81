"""What tests of the metalpool command share: the real service, and the command as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.played_pool import LARGE, PlayedPool
from tests.service.real_service import RealService
from tests.service.world import GIB

SOURCES = Path(__file__).resolve().parents[2] / "command"
Done = subprocess.CompletedProcess[str]
Begin = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Done]


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedPool]:
    """The service with four nodes in two zones, and the users kim and lee; the machines are played by the test."""
    service = RealService(tmp_path_factory.mktemp("pool"))
    service.token("kim", "user")
    service.token("lee", "user")
    service.start()
    played = PlayedPool(service)
    played.node("a1", memory=4 * GIB)
    played.node("a2", memory=8 * GIB, tags=("fast",))
    played.node("a3", tags=("gpu", "ssd"), **LARGE)
    played.node("b1", zone="b", memory=4 * GIB)
    played.image("debian-12")
    played.image("debian-13")
    yield played
    service.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with an SSH key and nothing else."""
    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True)
    (ssh / "id_ed25519.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000 laptop\n")
    return ssh.parent


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """An environment without settings of the person who runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("METALPOOL_", "XDG_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(SOURCES), "COLUMNS": "120", "TZ": "UTC", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def begin(pool: PlayedPool, environment: dict[str, str]) -> Begin:
    """Start the command, as kim unless somebody else is named."""

    def start(*words: str, user: str = "kim", text: str | None = None, **more: str) -> subprocess.Popen[str]:
        service = pool.service
        token = service.directory / "state" / "admin.token" if user == "admin" else service.directory / f"{user}.token"
        known = {"METALPOOL_URL": service.url, "METALPOOL_CA_FILE": str(service.ca_file), "METALPOOL_TOKEN_FILE": str(token)}
        return subprocess.Popen(
            [sys.executable, "-m", "metalpool_cli", *words],
            env=environment | known | more,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_as_at_a_terminal,
        )

    return start


def _as_at_a_terminal() -> None:
    """What a shell starts in the background, these tests perhaps, ignores Ctrl-C, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def run(begin: Begin) -> Run:
    """Run the command to its end, which is to be this exit code."""

    def to_end(*words: str, expect: int = 0, **more: Any) -> Done:
        process = begin(*words, **more)
        out, err = process.communicate(more.get("text"), timeout=60)
        assert process.returncode == expect, f"{words}: {process.returncode}\n{out}\n{err}"
        return Done(words, process.returncode, out, err)

    return to_end
