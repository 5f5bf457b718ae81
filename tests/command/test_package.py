"""What is installed on a user's machine: the command alone, and it starts at once."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from metalpool_cli.main import COMMANDS, cli

from tests.command.conftest import SOURCES

PACKAGE = SOURCES / "metalpool_cli"
CONSTRAINTS = SOURCES.parent / "constraints.txt"
START_SECONDS = 0.35
"""CPU time for --version, Python's own start included; it is a third of that on a machine with nothing else to do."""


def test_the_wheel_brings_a_light_client_only(tmp_path: Path) -> None:
    place = tmp_path / "empty"
    venv.create(place, with_pip=True)
    pip = [str(place / "bin" / "pip"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--constraint", str(CONSTRAINTS), str(SOURCES)], check=True, timeout=300)
    listed = subprocess.run([*pip, "list", "--format", "json"], check=True, capture_output=True, text=True).stdout
    assert {one["name"].lower() for one in json.loads(listed)} - {"pip", "setuptools"} == {"metalpool-cli", "click", "urllib3"}
    program = place / "bin" / "metalpool"
    done = subprocess.run([str(program), "--version"], check=True, capture_output=True, text=True, cwd=tmp_path, env={})
    assert done.stdout == "metalpool, version 0.1.0\n"
    done = subprocess.run([str(program), "list"], check=False, capture_output=True, text=True, cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert done.returncode == 2 and "the address of the Metalpool service is not known" in done.stderr


def test_it_starts_at_once(environment: dict[str, str]) -> None:
    spent = min(_seconds(environment, "--version") for _time in range(3))
    assert spent < START_SECONDS, spent
    code = "import sys; from metalpool_cli.main import cli; cli.main(['acquire', '-h'], standalone_mode=False); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True).stdout
    assert "urllib3" not in loaded and "'ssl'" not in loaded


def _seconds(environment: dict[str, str], *words: str) -> float:
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "metalpool_cli", *words]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_it_imports_nothing_but_its_dependencies(file: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"click", "urllib3", "metalpool_cli"}
    for part in ast.walk(ast.parse(file.read_text())):
        names = [one.name for one in part.names] if isinstance(part, ast.Import) else []
        names += [part.module or ""] if isinstance(part, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    import click

    context = click.Context(cli, info_name="metalpool")
    command = cli.get_command(context, name)
    assert command is not None
    several = command.commands.values() if isinstance(command, click.Group) else [command]
    for one in several:
        with click.Context(one, info_name=one.name, parent=context) as inner:
            assert one.help and "--json" in one.get_help(inner)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "metalpool_cli", "completion", shell]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "_METALPOOL_COMPLETE" in done.stdout
