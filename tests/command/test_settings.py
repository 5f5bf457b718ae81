"""Settings: options, then the environment, then the profile, as the collection has them; and what is never shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.command.conftest import Run
from tests.service.played_pool import PlayedPool


@pytest.fixture
def profile(pool: PlayedPool, home: Path) -> Path:
    """The profile of lee, with the token in it."""
    path = home / ".config" / "metalpool" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f'url = "{pool.service.url}"\ntoken = "{pool.token("lee")}"\nca_file = "{pool.service.ca_file}"\n')
    path.chmod(0o600)
    return path


NOTHING = {"METALPOOL_URL": "", "METALPOOL_TOKEN_FILE": "", "METALPOOL_CA_FILE": ""}


def test_the_profile_then_the_environment_then_options(run: Run, pool: PlayedPool, profile: Path) -> None:
    def who(*words: str, **environment: str) -> str:
        user: str = json.loads(run(*words, "whoami", "--json", **environment).stdout)["user"]
        return user

    admin = str(pool.service.directory / "state" / "admin.token")
    assert who(**NOTHING) == "lee"
    assert who() == "kim"
    assert who("--token-file", admin) == pool.get("/whoami")["user"]


def test_a_token_is_not_sent_to_another_server(run: Run, profile: Path) -> None:
    done = run("--url", "https://localhost:1", "whoami", expect=2)
    assert "there is no API token for https://localhost:1" in done.stderr


def test_the_token_is_never_shown(run: Run, pool: PlayedPool, profile: Path) -> None:
    secret = pool.token("lee")
    for words, code in ((("config",), 0), (("config", "--json"), 0), (("doctor",), 0), (("show", "nope"), 5)):
        done = run(*words, expect=code, **NOTHING)
        assert secret not in done.stdout + done.stderr
    profile.write_text(profile.read_text().replace("token", "tokken"))
    assert secret not in run("config", expect=2, **NOTHING).stderr


def test_doctor_finds_what_is_wrong(run: Run, pool: PlayedPool, home: Path, tmp_path: Path) -> None:
    def found(*words: str, expect: int = 0, **environment: str) -> dict[str, str]:
        checks = json.loads(run(*words, "doctor", "--json", expect=expect, **environment).stdout)["checks"]
        assert all(one["mend"] for one in checks if one["result"] == "failed")
        return {one["name"]: one["result"] for one in checks}

    well = found()
    assert set(well.values()) == {"ok"} and {"certificate", "service", "clock", "token", "SSH keys", "images"} <= set(well)
    assert found(expect=1, METALPOOL_CA_FILE="/etc/ssl/certs/ca-certificates.crt")["certificate"] == "failed"
    assert found(expect=1, METALPOOL_CA_FILE="/nowhere")["certificate"] == "failed"
    assert found(expect=1, METALPOOL_URL="https://localhost:1")["certificate"] == "failed"
    assert found(expect=1, **NOTHING) == {"settings": "failed"}

    wrong = tmp_path / "token"
    wrong.write_text("mp_wrong")
    wrong.chmod(0o644)
    both = found(expect=1, METALPOOL_TOKEN_FILE=str(wrong))
    assert (both["token file"], both["token"]) == ("warning", "failed")
    shutil.rmtree(home / ".ssh")
    assert found()["SSH keys"] == "warning"


def test_a_service_that_is_away(run: Run) -> None:
    done = run("--patience", "1", "--url", "http://localhost:1", "list", expect=3, METALPOOL_URL="", METALPOOL_TOKEN="mp_x")
    assert "is away" in done.stderr and "Is the service running" in done.stderr
    assert "would send the token unencrypted" in run("--url", "http://pool.example", "list", expect=2).stderr
    assert "certificate was not accepted" in run("list", expect=3, METALPOOL_CA_FILE="/etc/ssl/certs/ca-certificates.crt").stderr
