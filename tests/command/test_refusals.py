"""How the command ends when the answer is no: a code that means something, and words that say what to do."""

from __future__ import annotations

import json

import pytest

from tests.command.conftest import Run


def test_nothing_fits(run: Run) -> None:
    done = run("why", "--mem", "900G", "--zone", "a", expect=7)
    lines = [line.split() for line in done.stderr.splitlines()]
    assert ["mem", "900G", "4", "3"] in lines and ["zone", "a", "1", "0"] in lines
    assert "nearest: node a3 fits but for 644 GiB of memory" in done.stderr
    assert "possible: never" in done.stderr and "request " in done.stderr


def test_what_would_be_taken(run: Run) -> None:
    done = run("why", "--mem", "4G", "--prefer", "zone=b")
    assert done.stdout.splitlines()[1].split()[:3] == ["b1", "b", "default"]
    assert json.loads(run("acquire", "--mem", "4G", "--no-deploy", "--dry-run", "--json").stdout)["candidates"]


def test_a_word_that_means_nothing(run: Run) -> None:
    done = run("why", "--mem", "banana", expect=2)
    assert "field: " in done.stderr and "value: banana" in done.stderr and "allowed: " in done.stderr
    problem = json.loads(run("why", "--mem", "banana", "--json", expect=2).stderr)
    assert problem["status"] == 422 and problem["value"] == "banana"
    assert run("acquire", "--banana", expect=2).stderr.startswith("Usage:")


@pytest.mark.parametrize(("words", "user", "code"), [
    (("show", "nope"), "kim", 5),
    (("zone", "show", "nope"), "kim", 5),
    (("zone", "set", "c"), "kim", 4),
    (("log", "nope"), "kim", 5),
    (("acquire", "web1", "--address", "no-equals-sign"), "kim", 2),
    (("extend", "web1"), "kim", 2),
    (("acquire", "--queue-timeout", "1h"), "kim", 2),
])  # fmt: skip
def test_codes(run: Run, words: tuple[str, ...], user: str, code: int) -> None:
    assert run(*words, user=user, expect=code).stderr


def test_another_ones_machine_does_not_exist(run: Run) -> None:
    run("acquire", "mine", "--node", "a1", "--no-deploy")
    try:
        for words in (("show", "mine"), ("extend", "mine", "--lease", "1h"), ("release", "mine"), ("ssh", "mine"), ("log", "mine")):
            assert run(*words, user="lee", expect=5).stdout == ""
        assert run("list", user="lee").stderr == "You hold nothing.\n"
    finally:
        run("release", "mine", "--no-wait")


def test_what_machines_say_does_not_steer_the_terminal(run: Run) -> None:
    """Log lines, hardware and names come from machines that nobody may trust."""
    rude = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e"
    run("zone", "set", "rude", "--description", rude, user="admin")
    try:
        for words in (("zone", "list"), ("zone", "show", "rude"), ("zone", "list", "--json")):
            shown = run(*words).stdout
            assert "owned" in shown and not set(shown) & set("\x1b\x07\x9b\r\u202e")
        assert json.loads(run("zone", "show", "rude", "--json").stdout)["description"] == rude
    finally:
        run("zone", "delete", "rude", user="admin")
