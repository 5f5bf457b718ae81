"""What tests of the API-facing plugins share: a scripted service, and modules run as Ansible runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
COLLECTIONS = ROOT / ".ansible" / "collections"

subprocess.run(["bash", str(ROOT / "tests" / "link_collection.sh")], check=True)
sys.path[:0] = [str(COLLECTIONS), str(HERE)]

from scripted_service import Service  # noqa: E402

from tests.service.played_pool import LARGE, PlayedPool  # noqa: E402
from tests.service.real_service import RealService  # noqa: E402
from tests.service.world import GIB  # noqa: E402


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedPool]:
    """The service with five nodes in two zones, and the users kim and lee; nobody works for the rack but the test."""
    service = RealService(tmp_path_factory.mktemp("pool"))
    service.token("kim", "user")
    service.token("lee", "user")
    service.start()
    played = PlayedPool(service)
    played.node("a1", memory=4 * GIB)
    played.node("a2", memory=8 * GIB, tags=("fast",), disks=[("N1", "nvme", 100), ("H1", "hdd", 500), ("H2", "hdd", 500)])
    played.node("a3", tags=("gpu", "ssd"), speed_mbps=25000, **LARGE)
    played.node("b1", zone="b", memory=4 * GIB)
    played.node("b2", zone="b", memory=8 * GIB, firmware="bios")
    played.network("a3")
    for name in ("debian-12", "debian-13"):
        played.image(name)
    yield played
    service.stop()


@pytest.fixture
def service() -> Iterator[Service]:
    """A server for one test."""
    one = Service()
    one.thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of the person who runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("METALPOOL_", "ANSIBLE_"))}
    home = tmp_path / "home"
    home.mkdir()
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PYTHONPATH": str(COLLECTIONS),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(home / ".ansible"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture
def run_module(service: Service, environment: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """Run a module in a process of its own against the server."""

    def run(module_name: str, /, check: bool = False, **params: Any) -> dict[str, Any]:
        given = {"url": service.url, "token": "mp_secret", "retry_timeout": 5, **params, "_ansible_check_mode": check}
        done = subprocess.run(
            [sys.executable, "-m", f"ansible_collections.metalpool.core.plugins.modules.{module_name}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def run_playbook(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a playbook given as text."""

    def run(text: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "playbook.yml"
        path.write_text(text, encoding="utf-8")
        return subprocess.run(
            ["ansible-playbook", str(path), *arguments],
            capture_output=True,
            text=True,
            env={**environment, **more},
            cwd=tmp_path,
            check=False,
        )

    return run
