"""Expressions of users: what they may say, and that nothing they say harms the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory_service.problems import Invalid
from inventory_service.sandbox import MEMORY_BYTES, Answer, Sandbox, check, names
from tests.service.world import until

BIG = {"cpus": 32, "tags": ["gpu"], "facts": {"cpu": {"model": "EPYC 7543"}, "disks": [{"kind": "nvme", "size": 4}]}}
SMALL = {"cpus": 2, "tags": [], "facts": {"cpu": {"model": None}}}
SECONDS = 30.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def _pids(sandbox: Sandbox) -> list[int]:
    return [process.pid for process in sandbox._idle]


@pytest.mark.parametrize(
    ("expression", "big", "small"),
    [
        ("cpus >= 16", True, False),
        ("'gpu' in tags and cpus > 1", True, False),
        ("facts.cpu.model is match('EPYC')", True, False),
        ("facts.cpu.model is search('75[0-9]3')", True, False),
        ("facts.disks | selectattr('kind', 'eq', 'nvme') | list | length >= 1", True, False),
        ("facts.disks | map(attribute='size') | max > 3", True, False),
        ("tags is contains('gpu')", True, False),
        ("facts.gpus[0].memory > 10", False, False),
        ("facts.gpus[0].memory != 10", False, False),
        ("facts.gpus[0].memory == facts.nothing", False, False),
        ("facts.numa.count * 2 + 1 < 100", False, False),
        ("facts.nothing.items()", False, False),
        ("facts.nothing | int < 5", False, False),
        ("facts.nothing | default(3) | int < 5", True, True),
        ("facts.cpu.model is not defined", False, True),
        ("not facts.nothing", True, True),
        ("range(3) | list | sum == 3", True, True),
    ],
)
def test_what_a_node_has_not_does_not_match(sandbox: Sandbox, expression: str, big: bool, small: bool) -> None:
    assert sandbox.evaluate(expression, [BIG, SMALL], SECONDS) == [Answer(big), Answer(small)]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "   ",
        "cpus >=",
        "{{ cpus }}",
        "cpus }} {% for x in range(3) %}",
        "{% import 'os' %}",
        "cpus; import os",
        "cpus | random",
        "cpus | pprint",
        "cpus is callable",
        "lambda: 1",
        "x" * 5000,
        "(" * 1500 + "1" + ")" * 1500,
    ],
)
def test_what_is_no_expression_is_refused_with_its_field(expression: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(expression, "constraints.expression")
    assert refused.value.extensions["field"] == "constraints.expression"
    assert refused.value.extensions["allowed"]


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "tags.__class__.__base__.__subclasses__() | length > 0",
        "facts['__class__'].__init__.__globals__",
        "facts | attr('__class__')",
        "range.__self__",
        "cpus.__class__('1')",
        "tags.append('x')",
        "facts.update({'a': 1})",
        "'{0.__class__}'.format(cpus) == \"<class 'int'>\"",
        "self.__init__.__globals__",
        "cycler.__init__.__globals__",
        "lipsum.__globals__['os']",
        "dict.mro()",
    ],
)
def test_tricks_with_attributes_find_nothing(sandbox: Sandbox, expression: str) -> None:
    (answer,) = sandbox.evaluate(expression, [BIG], SECONDS)
    assert not answer.matches


@pytest.mark.parametrize(
    "expression",
    [
        "'x' * 10 ** 9",
        "[0] * 1000000000",
        "range(10 ** 9) | list",
        "'%1000000000d' % 1",
        "9999999 ** 9999999",
        "'{:3000000000}'.format(1)",
        "'x'.ljust(3000000000)",
    ],
)
def test_bombs_are_errors_of_their_documents(sandbox: Sandbox, expression: str) -> None:
    (answer,) = sandbox.evaluate(expression, [BIG], SECONDS)
    assert not answer.matches and answer.error
    assert sandbox.evaluate("cpus > 1", [BIG], SECONDS) == [Answer(True)]


def test_an_error_is_of_its_document_only(sandbox: Sandbox) -> None:
    answers = sandbox.evaluate("cpus > 4", [{"cpus": 8}, {"cpus": "many"}, {"cpus": 2}], SECONDS)
    assert [one.matches for one in answers] == [True, False, False]
    assert [bool(one.error) for one in answers] == [False, True, False]


def test_endless_work_is_killed_in_time_and_the_process_replaced(sandbox: Sandbox) -> None:
    sandbox.evaluate("true", [{}], SECONDS)
    before = _pids(sandbox)
    began = time.monotonic()
    endless = "('a' * 40 ~ 'b') is match('(a+)+$')"
    answers = sandbox.evaluate(endless, [{}] * 500, 0.5)
    assert time.monotonic() - began < 10
    assert answers == [Answer(False, "it takes longer than 0.5 s")] * 500
    assert sandbox.evaluate("cpus > 1", [BIG], SECONDS) == [Answer(True)]
    assert _pids(sandbox) != before
    for pid in before:
        assert not Path(f"/proc/{pid}").exists(), "no zombie is left"


def test_a_killed_process_is_replaced(sandbox: Sandbox) -> None:
    sandbox.evaluate("true", [{}], SECONDS)
    for pid in _pids(sandbox):
        os.kill(pid, signal.SIGKILL)
    assert sandbox.evaluate("cpus > 1", [BIG, SMALL], SECONDS) == [Answer(True), Answer(True)]


def test_a_process_that_dies_at_work_is_replaced_once(sandbox: Sandbox) -> None:
    sandbox.evaluate("true", [{}], SECONDS)
    (pid, *_others) = _pids(sandbox)[::-1]
    slow = [{"n": "a" * 20 + "b"}] * 15
    killer = threading.Timer(0.1, os.kill, (pid, signal.SIGKILL))
    killer.start()
    answers = sandbox.evaluate("n is match('(a+)+$')", slow, 120.0)
    killer.join()
    assert answers == [Answer(False)] * 15
    assert pid not in _pids(sandbox)


def test_many_ask_at_once(sandbox: Sandbox) -> None:
    documents = [{"n": number} for number in range(500)]
    results: dict[int, list[Answer]] = {}

    def ask(mine: int) -> None:
        results[mine] = sandbox.evaluate(f"n % 8 == {mine}", documents, SECONDS)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine in range(8):
        assert [one.matches for one in results[mine]] == [number % 8 == mine for number in range(500)]
    assert len(_pids(sandbox)) <= 2


def test_the_process_holds_nothing(sandbox: Sandbox) -> None:
    sandbox.evaluate("true", [{}], SECONDS)
    process = Path(f"/proc/{_pids(sandbox)[0]}")
    assert (process / "environ").read_bytes() == b""
    assert sorted(int(one.name) for one in (process / "fd").iterdir()) == [0, 1, 2]
    limits = (process / "limits").read_text()
    assert str(MEMORY_BYTES) in limits
    if os.geteuid() == 0:
        assert "Uid:\t65534" in (process / "status").read_text()


def test_nothing_is_started_before_it_is_needed_and_nothing_stays() -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from inventory_service.sandbox import Sandbox, check\n"
        "sandbox = Sandbox(); check('cpus > 1')\n"
        "assert not sandbox._idle\n"
        "sandbox.evaluate('true', [{}], 30)\n"
        "print(sandbox._idle[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    until(lambda: not Path(f"/proc/{int(ended.stdout)}").exists())


def test_only_the_names_that_are_used_are_sent() -> None:
    assert names("cpus > 1 and facts.cpu.model and range(3)") == {"cpus", "facts"}
    assert names("facts.disks | selectattr('size', '>', limit) | list") == {"facts", "limit"}
