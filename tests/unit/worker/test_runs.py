"""The end of a run, on real playbooks: nothing of it goes on, however it ends."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inventory_service.worker import run
from inventory_service.worker.leftovers import processes_of
from inventory_service.worker.main import remove_abandoned_runs

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Act on a machine for a long time
      ansible.builtin.shell: touch {started}; exec sleep 600
"""


class Lines:
    """What a run needs of its reporter."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.ended = threading.Event()


@pytest.fixture
def claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory whose playbook is in the middle of a task, once its file ``started`` exists."""
    directory = tmp_path / "runs" / "deploy-1"
    directory.mkdir(parents=True)
    (tmp_path / "long.yml").write_text(PLAYBOOK.format(started=directory / "started"))
    (directory / "claim.json").write_text("{}")
    monkeypatch.setattr(run, "PLAYBOOK", str(tmp_path / "long.yml"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return directory


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cancelled_run_leaves_no_process(claim: Path) -> None:
    reporter = Lines()

    def cancel() -> None:
        wait_until((claim / "started").exists)
        reporter.ended.set()

    threading.Thread(target=cancel, daemon=True).start()
    assert run.run_playbook(claim, "deploy", reporter, claim) == ("canceled", "")  # type: ignore[arg-type]
    assert processes_of(claim), "ansible-runner alone leaves the task running; were it not so, clean_up could go"
    run.clean_up(claim)
    assert not processes_of(claim)
    assert not claim.exists()


def test_what_a_killed_run_left_is_ended_at_the_next_start(claim: Path) -> None:
    program = f"""
import sys, pathlib, queue, threading, fcntl
from inventory_service.worker import run
run.PLAYBOOK = {str(run.PLAYBOOK)!r}
class Reporter: lines, ended = queue.SimpleQueue(), threading.Event()
lock = open({str(claim / "claim.json")!r})
fcntl.flock(lock, fcntl.LOCK_EX)
run.run_playbook(pathlib.Path({str(claim)!r}), "deploy", Reporter, pathlib.Path("/nowhere"))
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        wait_until((claim / "started").exists)
        remove_abandoned_runs(claim.parent)
        assert json.loads((claim / "claim.json").read_text()) == {}, "a run that lives is left alone"
        assert processes_of(claim)
        process.send_signal(signal.SIGKILL)
    assert processes_of(claim), "the task goes on when nobody ends it"
    remove_abandoned_runs(claim.parent)
    assert not processes_of(claim)
    assert not claim.exists()
