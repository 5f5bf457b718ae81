"""A machine's whole life from the shell: acquired, watched, logged in to, held for longer, given back."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command.conftest import Begin, Run
from tests.service.played_pool import PlayedPool
from tests.service.world import HOST_KEY, Work, until


@pytest.fixture(autouse=True)
def _all_ready(pool: PlayedPool) -> Iterator[None]:
    yield
    for one in pool.get("/allocations?state=waiting,allocated,active,failed")["items"]:
        pool.ask("DELETE", f"/allocations/{one['name']}")
    pool.erase(*(name for name, state in pool.states().items() if state == "releasing"))
    assert set(pool.states().values()) == {"ready"}


def _shown(run: Run, name: str) -> dict:
    one: dict = json.loads(run("show", name, "--json").stdout)
    return one


def _queued(pool: PlayedPool, count: int = 1) -> list[str]:
    """The nodes on which operations are queued, once there are so many."""
    asked = until(lambda: (found := pool.get("/operations?state=queued")["items"]) and len(found) >= count and found)
    return sorted(one["node"] for one in asked)


def test_from_acquire_to_release(run: Run, begin: Begin, pool: PlayedPool, home: Path) -> None:
    acquiring = begin("acquire", "web1", "--zone", "b", "--image", "debian-12", "--lease", "8h", "--annotation", "team=web")
    pool.deploy(*_queued(pool))
    out, err = acquiring.communicate(timeout=60)
    assert acquiring.returncode == 0, err
    assert "state        active" in out and "node         b1" in out and "metalpool ssh web1" in out
    assert "web1: deploy: queued" in err and "web1: deploy 4/9" in err and "web1: deploy: succeeded" in err
    assert "\x1b" not in err, "a pipe gets plain lines"

    assert run("list").stdout.splitlines()[1].split()[:5] == ["web1", "active", "b1", "192.0.2.101", "debian-12"]
    held = _shown(run, "web1")
    assert held == pool.get("/allocations/web1") and held["annotations"] == {"team": "web"}

    again = run("acquire", "web1", "--zone", "b", "--image", "debian-12", "--json")
    assert json.loads(again.stdout) == held, "asked again, nothing changes"

    assert "playing write_image" in run("log", "web1").stdout
    assert "deploy" in run("operation", "show", "web1").stdout
    run("extend", "web1", "--lease", "24h")
    assert _shown(run, "web1")["expires_at"] > held["expires_at"]

    releasing = begin("release", "web1")
    pool.erase(*_queued(pool))
    out, err = releasing.communicate(timeout=60)
    assert (releasing.returncode, out) == (0, "web1 (b1): release succeeded\n"), err
    assert run("list").stdout == ""


def test_ssh_trusts_the_reported_key_and_no_other(run: Run, begin: Begin, pool: PlayedPool, home: Path) -> None:
    acquiring = begin("acquire", "web1", "--node", "a1", "--image", "debian-12")
    [node] = _queued(pool)
    early = run("ssh", "web1", expect=1)
    assert "it has an address and host keys once it is active" in early.stderr
    pool.deploy(node)
    acquiring.communicate(timeout=60)

    # Another program in ssh's place says what it was started with, and ends in its own way.
    program = home / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 42\n')
    program.chmod(0o755)
    done = run("ssh", "-i", "key", "web1", "--", "ls", "-l", expect=42, PATH=f"{program.parent}:/usr/bin:/bin")
    words = done.stdout.splitlines()
    assert words[-7:] == ["debian", "-i", "key", "192.0.2.101", "--", "ls", "-l"] and "StrictHostKeyChecking=yes" in words
    [file] = [Path(word.partition("=")[2]) for word in words if word.startswith("UserKnownHostsFile=")]
    assert file.read_text() == f"192.0.2.101 {HOST_KEY}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_deploy_that_failed_is_explained_and_tried_again(run: Run, begin: Begin, pool: PlayedPool) -> None:
    acquiring = begin("acquire", "web1", "--node", "a1", "--image", "debian-12")
    [node] = _queued(pool)
    work = Work(pool, node)  # type: ignore[arg-type]
    work.report("steps", step="write_image")
    work.report("log", lines=["the image's checksum is wrong"])
    work.result("failed", "checksum")
    _out, err = acquiring.communicate(timeout=60)
    assert acquiring.returncode == 1
    assert "deploy of a1 failed in step write_image: checksum" in err and "metalpool deploy web1" in err
    assert "the image's checksum is wrong" in run("why", "web1").stdout

    again = begin("acquire", "web1", "--node", "a1", "--image", "debian-12")
    pool.deploy(*_queued(pool))
    _out, err = again.communicate(timeout=60)
    assert again.returncode == 0 and "web1 is there already" in err


def test_stopped_the_work_goes_on_and_can_be_watched_again(run: Run, begin: Begin, pool: PlayedPool) -> None:
    acquiring = begin("acquire", "web1", "--node", "a1", "--image", "debian-12")
    [node] = _queued(pool)
    assert acquiring.stderr is not None
    assert "queued" in acquiring.stderr.readline()
    acquiring.send_signal(signal.SIGINT)
    _out, err = acquiring.communicate(timeout=60)
    assert acquiring.returncode == 130
    assert "it goes on. Watch it again: metalpool operation watch" in err

    late = run("watch", "web1", "--wait-timeout", "1", expect=6)
    assert "has not ended within 1.0 s" in late.stderr
    watching = begin("watch", "web1")
    pool.deploy(node)
    watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert _shown(run, "web1")["state"] == "active"


def test_the_line(run: Run, begin: Begin, pool: PlayedPool) -> None:
    run("acquire", "first", "--tag", "gpu", "--no-deploy")
    assert "possible: later" in run("acquire", "--tag", "gpu", "--no-deploy", expect=7).stderr
    waiting = begin("acquire", "second", "--tag", "gpu", "--no-deploy", "--wait")
    assert waiting.stderr is not None
    assert waiting.stderr.readline() == "second: number 1 in line\n"
    assert run("queue").stdout.splitlines()[1].split()[:3] == ["1", "second", "kim"]
    run("release", "first", "--no-wait")
    pool.erase("a3")
    out, _err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and "node       a3" in out

    timed = run("acquire", "third", "--tag", "gpu", "--no-deploy", "--wait", "--queue-timeout", "1s", expect=6)
    assert "third got no node" in timed.stderr
    run("acquire", "fourth", "--tag", "gpu", "--no-deploy", "--queue", "--no-wait")
    assert run("release", "fourth").stderr == "metalpool: fourth is released\n"


def test_a_set(run: Run, begin: Begin, pool: PlayedPool) -> None:
    acquiring = begin("acquire", "cluster", "--count", "2", "--same", "zone", "--image", "debian-12", "--json")
    pool.deploy(*_queued(pool, 2))
    out, err = acquiring.communicate(timeout=60)
    assert acquiring.returncode == 0, err
    assert [one["name"] for one in json.loads(out)["items"]] == ["cluster-1", "cluster-2"]
    assert len(run("show", "cluster").stdout.splitlines()) == 3
    releasing = begin("release", "cluster", "--yes")
    pool.erase(*_queued(pool, 2))
    out, _err = releasing.communicate(timeout=60)
    assert releasing.returncode == 0 and out.count("release succeeded") == 2


def test_nobody_deploys_twice_by_the_same_key(run: Run, pool: PlayedPool) -> None:
    words = ("acquire", "--node", "a1", "--no-deploy", "--idempotency-key", "one-of-a-pipeline", "--json")
    first, second = (json.loads(run(*words).stdout) for _time in range(2))
    assert first["name"] == second["name"]


def test_a_terminal_has_one_line_that_changes(begin: Begin, pool: PlayedPool, environment: dict[str, str]) -> None:
    acquiring = begin("acquire", "web1", "--node", "a1", "--image", "debian-12", "--no-wait")
    acquiring.communicate(timeout=60)
    [node] = _queued(pool)
    service = pool.service
    known = {
        "METALPOOL_URL": service.url,
        "METALPOOL_CA_FILE": str(service.ca_file),
        "METALPOOL_TOKEN_FILE": str(service.directory / "kim.token"),
    }
    command = f"{sys.executable} -m metalpool_cli watch web1"
    watching = subprocess.Popen(
        ["script", "-qec", command, "/dev/null"], env=environment | known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    pool.deploy(node, before=lambda _work: time.sleep(2))
    out, _err = watching.communicate(timeout=60)
    assert b"\r\x1b[Kweb1: deploy: succeeded" in out and b" at most" in out
