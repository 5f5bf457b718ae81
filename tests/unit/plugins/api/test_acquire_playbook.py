"""acquire.yml and release.yml against the real service, every variable that asks for a node: what they do, what they
say, that a second run changes nothing and a dry run tells the truth. The machines are played by the test.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.service.played_pool import PlayedPool
from tests.service.real_service import ROOT

RECAP = re.compile(r"localhost +: ok=(\d+) +changed=(\d+) .*failed=(\d+)")


class Said:
    """What a playbook printed."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = RECAP.search(text)
        assert found, text
        self.changed, self.failed = int(found[2]), int(found[3])

    def __contains__(self, words: str) -> bool:
        return " ".join(words.split()) in " ".join(self.text.split())


@pytest.fixture
def start(pool: PlayedPool, environment: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Start a playbook with these variables, as kim unless somebody else is named."""
    service = pool.service
    settings = {"METALPOOL_URL": service.url, "METALPOOL_CA_FILE": str(service.ca_file)}

    def begin(playbook: str, *words: str, user: str = "kim", **variables: Any) -> subprocess.Popen[str]:
        token = {"METALPOOL_TOKEN_FILE": str(service.directory / f"{user}.token"), "PYTHONUNBUFFERED": "1"}
        command = ["ansible-playbook", f"playbooks/{playbook}.yml", *words]
        for name, value in variables.items():
            command += ["-e", json.dumps({name: value})]
        return subprocess.Popen(
            command, cwd=ROOT, env={**environment, **settings, **token}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return begin


@pytest.fixture
def play(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Said]:
    """Run a playbook to its end."""

    def run(playbook: str, *words: str, **variables: Any) -> Said:
        return Said(start(playbook, *words, **variables).communicate(timeout=120)[0])

    return run


@pytest.fixture(autouse=True)
def emptied(pool: PlayedPool) -> Iterator[None]:
    """Whatever a test holds is given back after it."""
    yield
    for one in pool.get("/allocations")["items"]:
        if one["state"] != "releasing":
            pool.ask("DELETE", f"/allocations/{one['name']}")
    pool.erase(*(name for name, state in pool.states().items() if state == "releasing"))
    assert set(pool.states().values()) == {"ready"}


def _node(pool: PlayedPool, name: str) -> str | None:
    return pool.get(f"/allocations/{name}")["node"]


def test_one_node_a_second_run_a_dry_run_an_extension_and_its_return(pool: PlayedPool, play: Callable[..., Said]) -> None:
    wanted: dict[str, Any] = {
        "allocation": "web", "deploy": "false", "mem": "8G..", "cpus": "..4", "zone": "a", "not_tag": "slow", "tag": "fast",
        "disks": "50G nvme, 2 x hdd 400G..", "firmware": "uefi", "where": "facts.cpu.threads == 2 and name != 'b1'",
        "prefer": "zone=b, mem=8G", "lease": "2h", "note": "for the guide", "annotations": {"team": "web"},
    }  # fmt: skip
    dry = play("acquire", "--check", "--diff", **wanted)
    assert (dry.changed, dry.failed) == (1, 0), dry.text
    assert "Allocation web: a2, no image, not made in check mode" in dry
    assert '+ "lease": "2h"' in dry or '+    "lease": "2h",' in dry.text
    assert pool.get("/allocations")["items"] == []

    first = play("acquire", **wanted)
    assert (first.changed, first.failed) == (1, 0), first.text
    held = pool.get("/allocations/web")
    assert (held["node"], held["root_disk"], held["note"], held["annotations"]) == ("a2", "N1", "for the guide", {"team": "web"})
    assert f"It ends by itself at {held['expires_at']}" in first
    assert play("acquire", **wanted).changed == 0

    later = play("acquire", "--check", "--diff", allocation="web", deploy="false", extend="true", lease="5h")
    assert later.changed == 1
    assert pool.get("/allocations/web")["expires_at"] == held["expires_at"]
    end = "2029-01-31T18:00:00Z"
    for changed in (1, 0):
        said = play("acquire", allocation="web", deploy="false", extend="true", until=end)
        assert (said.changed, said.failed) == (changed, 0), said.text
    assert pool.get("/allocations/web")["expires_at"] == end

    assert "Allocation web: would be given back" in play("release", "--check", allocation="web")
    asked = play("release", allocation="web,nothing", wait="false")
    assert asked.changed == 1
    assert "Allocation web: on its way back" in asked and "Allocation nothing: not held, nothing to do" in asked


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"mem": "banana"}, ["field: constraints.mem", "value: banana", "allowed:"]),
        ({"count": 0}, ["field: count", "value: 0"]),
        ({"count": 2, "same": "moon"}, ["field: same", "value: moon", "allowed: zone, pool, rack, fabric"]),
        ({"spread": "zone"}, ["field: spread", "value: zone", "allowed: count, not_with"]),
        ({"lease": "soon"}, ["field: lease", "value: soon", "8h"]),
        ({"queue_timeout": "2h"}, ["queue_timeout=2h", "queue: true"]),
        ({"min_count": 2}, ["min_count", "count"]),
        ({"constraints": {"colour": "red"}}, ["colour", "allowed:", "mem"]),
        ({"interfaces": "100G"}, ["excluded:", "interfaces=speed=100G excluded 5 of 5 nodes"]),
        ({"devices": "3 x gpu", "queue": True}, ["excluded 5 of 5 nodes", "ask for less"]),
    ],
)
def test_what_cannot_be_is_said_for_people(
    pool: PlayedPool, run_module: Callable[..., dict[str, Any]], variables: dict[str, Any], words: list[str]
) -> None:
    service = pool.service
    whose = {"url": service.url, "ca_file": str(service.ca_file), "token_file": str(service.directory / "kim.token"), "token": None}
    for check in (True, False):
        said = run_module("allocation", check, deploy=False, **whose, **variables)
        assert said.get("failed"), said
        for one in words:
            assert one in said["msg"], said["msg"]
    assert pool.get("/allocations")["items"] == []


def test_a_set_near_one_another_apart_from_others_and_given_back_as_one(pool: PlayedPool, play: Callable[..., Said]) -> None:
    wanted: dict[str, Any] = {"allocation": "pair", "deploy": "false", "count": "2", "same": "zone", "not_node": "a1"}
    dry = play("acquire", "--check", **wanted)
    assert dry.changed == 1
    assert ("a2, no image" in dry and "a3, no image" in dry) or ("b1, no image" in dry and "b2, no image" in dry)
    assert play("acquire", **wanted).changed == 1
    pair = [one["node"] for one in pool.get("/allocation-sets/pair")["items"]]
    assert len({name[0] for name in pair}) == 1
    again = play("acquire", **wanted)
    assert again.changed == 0
    assert all(f"Allocation pair-{number}:" in again for number in (1, 2))
    assert "release -e allocation=pair" in again.text

    other = {"allocation": "other", "deploy": "false", "count": "3", "min_count": "1", "spread": "zone", "not_with": "pair"}
    assert play("acquire", **other).changed == 1
    apart = [one["node"] for one in pool.get("/allocation-sets/other")["items"]]
    assert apart and {name[0] for name in apart}.isdisjoint(name[0] for name in pair)

    given = play("release", allocation="pair", wait="false")
    assert given.changed == 1
    assert "Allocation pair: on its way back" in given


def _take_all(pool: PlayedPool) -> None:
    """Lee holds every node, each by an allocation of its own."""
    for name in pool.states():
        wanted = {"name": f"lee-{name}", "deploy": False, "constraints": {"node": name}}
        pool.ask("POST", "/allocations", wanted, token=pool.token("lee"))


def _free(pool: PlayedPool, *names: str) -> None:
    for name in names:
        pool.ask("DELETE", f"/allocations/lee-{name}")
    pool.erase(*names)


def _until_it_says(running: subprocess.Popen[str], words: str) -> str:
    """What a playbook that runs has printed when it says this."""
    text = ""
    assert running.stdout is not None
    for line in running.stdout:
        text += line
        if words in line:
            return text
    raise AssertionError(f"it never said {words!r}: {text}")


def test_in_line_the_place_is_shown_until_there_is_a_node(
    pool: PlayedPool, play: Callable[..., Said], start: Callable[..., subprocess.Popen[str]]
) -> None:
    _take_all(pool)
    refused = play("acquire", allocation="one", deploy="false", wait="false")
    assert refused.failed == 1
    assert "state=ready excluded 5 of 5 nodes" in refused and "wait until others release theirs" in refused
    dry = play("acquire", "--check", allocation="one", deploy="false", wait="true")
    assert (dry.changed, dry.failed) == (1, 0)
    assert "Allocation one: would stand in line" in dry
    assert pool.get("/allocations?state=waiting")["items"] == []

    asked = play("acquire", allocation="one", deploy="false", queue="true", wait="false")
    assert (asked.changed, asked.failed) == (1, 0)
    assert "Number 1 in line" in asked
    assert play("acquire", allocation="one", deploy="false", queue="true", wait="false").changed == 0
    waits = start("acquire", allocation="two", deploy="false", wait="true", queue_timeout="2h")
    text = _until_it_says(waits, "two: number 2 in line, until 20")
    left = play("release", allocation="one")
    assert left.changed == 1
    assert "Allocation one: left the line" in left
    text += _until_it_says(waits, "two: number 1 in line")
    _free(pool, "b1")
    said = Said(text + waits.communicate(timeout=60)[0])
    assert "two: has node b1" in said
    assert (said.changed, said.failed) == (1, 0)

    waits = start("acquire", allocation="three", deploy="false", wait="true")
    text = _until_it_says(waits, "three: number 1 in line")
    pool.ask("DELETE", "/allocations/three", token=pool.token("kim"))
    cancelled = Said(text + waits.communicate(timeout=60)[0])
    assert cancelled.failed == 1
    assert "three got no node: cancelled by kim" in cancelled
    late = play("acquire", allocation="late", deploy="false", wait="true", queue_timeout="1s")
    assert late.failed == 1
    assert "late got no node: nothing became free for it in time" in late


def test_a_set_in_line_gets_all_its_nodes_at_once(
    pool: PlayedPool, play: Callable[..., Said], start: Callable[..., subprocess.Popen[str]]
) -> None:
    _take_all(pool)
    wanted = {"allocation": "pair", "deploy": "false", "count": "2", "same": "zone", "wait": "true"}
    assert "would stand in line" in play("acquire", "--check", **wanted)
    waits = start("acquire", **wanted)
    text = _until_it_says(waits, "pair: number 1 in line")
    again = play("acquire", "--check", **wanted)
    assert again.changed == 0
    assert "Number 1 in line" in again
    _free(pool, "a1", "b1")
    assert pool.get("/allocation-sets/pair")["place"] == 1
    _free(pool, "b2")
    said = Said(text + waits.communicate(timeout=60)[0])
    assert "pair: has nodes b1, b2" in said or "pair: has nodes b2, b1" in said
    assert all(f"Allocation pair-{number}: b" in said for number in (1, 2))
    assert (said.changed, said.failed) == (1, 0)
    assert play("acquire", **wanted).changed == 0
    assert play("release", allocation="pair", wait="false").changed == 1
