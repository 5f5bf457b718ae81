"""Every variable of acquire.yml stands in the user guide with an example, and every example works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv

from tests.service.played_pool import PlayedPool
from tests.service.real_service import ROOT
from tests.service.world import KEY

GUIDE = (ROOT / "docs" / "user-guide.md").read_text(encoding="utf-8")
PLAYBOOK = (ROOT / "playbooks" / "acquire.yml").read_text(encoding="utf-8")
SECTION = GUIDE.partition("## Every variable")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (`[^|]+?) \| `(.+?)` \|", SECTION, re.MULTILINE)
"""What a row is about, and its example."""
NAMES = {"allocation": "name", "ssh_key_file": "ssh_key_files"}
OF_THE_PLAYBOOK = ("metalpool_api", "wait", "wait_timeout", "queue", "queue_timeout")


def _variables(example: str) -> dict[str, Any]:
    """What Ansible makes of a command line's words."""
    words = shlex.split(example)
    assert set(words[::2]) == {"-e"}, example
    loader = DataLoader()
    said: dict[str, Any] = {}
    for word in words[1::2]:
        said |= loader.load(word) if word.startswith("{") else parse_kv(word)
    return said


def test_every_variable_has_an_example() -> None:
    asked = set(re.findall(r"{{ \(?(\w+) \| default", PLAYBOOK)) | {"ssh_key_file", "wait"}
    of_tasks = {name for name in asked if name.startswith("acquire_")}
    shown = {name for _what, example in ROWS for name in _variables(example)}
    assert asked - of_tasks - shown == set()
    assert shown - asked == set()
    for name in asked - of_tasks:
        assert re.search(rf"^#.*\b{name}\b", PLAYBOOK, re.MULTILINE), f"{name} is not in the playbook's own list"


@pytest.fixture(scope="module", autouse=True)
def _web1(pool: PlayedPool) -> Iterator[None]:
    """An allocation for examples that speak of another one."""
    wanted = {"name": "web1", "deploy": False, "constraints": {"node": "a1"}}
    pool.ask("POST", "/allocations", wanted, token=pool.token("kim"))
    yield
    pool.ask("DELETE", "/allocations/web1")
    pool.erase("a1")


@pytest.mark.parametrize("example", [example for _what, example in ROWS])
def test_every_example_works(
    pool: PlayedPool, run_module: Callable[..., dict[str, Any]], environment: dict[str, str], example: str
) -> None:
    key = Path(environment["HOME"], ".ssh", "id_ed25519.pub")
    key.parent.mkdir()
    key.write_text(f"{KEY}\n", encoding="utf-8")
    said = {name: value for name, value in _variables(example).items() if name not in OF_THE_PLAYBOOK}
    params = {"image": "debian-12"} | {NAMES.get(name, name): value for name, value in said.items()}
    service = pool.service
    whose = {"url": service.url, "ca_file": str(service.ca_file), "token_file": str(service.directory / "kim.token"), "token": None}
    done = run_module("allocation", True, **params, **whose)
    assert not done.get("failed"), done
    assert done["changed"]
    assert done["candidates"]
