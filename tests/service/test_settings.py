"""Settings, keys, certificates, the command line."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from inventory_service.config import Settings, SettingsError, load
from inventory_service.db import newest_revision
from inventory_service.tls import ensure_certificates
from inventory_service.vault import Vault, VaultError, create_key_file


def test_defaults_then_file_then_environment(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text('listen_port = 9000\nlease_seconds = 5\n[step_limits]\n"deploy.boot" = 7\n')
    settings = load(file, {"METALPOOL_LEASE_SECONDS": "9", "METALPOOL_SERVER_NAMES": "a,b", "METALPOOL_TLS": "false"})
    assert (settings.listen_port, settings.lease_seconds, settings.step_limits) == (9000, 9, {"deploy.boot": 7})
    assert (settings.server_names, settings.tls, str(settings.state_dir)) == (
        ["a", "b"],
        False,
        "/var/lib/metalpool/service",
    )
    assert settings.database.endswith("/metalpool.sqlite")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("colour = 1", "colour"),
        ("lease_seconds = 0", "lease_seconds"),
        ("database_url = 'mysql://h/d'", "postgresql"),
        ('[step_limits]\n"deploy.paint" = 1', "deploy.write_image"),
        ("listen_port = 'x'", "listen_port"),
        ("processes = 2", "processes: .* 2 are not possible on SQLite.* allowed: 1, more on PostgreSQL"),
        ("processes = -1", "processes"),
        ("=", "service.toml"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "service.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=word):
        load(file, {})


def test_database_url_names_the_driver(tmp_path: Path) -> None:
    for url in ("postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"):
        assert load(None, {"METALPOOL_DATABASE_URL": url}).database == "postgresql+psycopg://u@h/d"


def test_as_many_processes_serve_as_there_are_cpus_but_four_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql = {"METALPOOL_DATABASE_URL": "postgresql://h/d"}
    for cpus, processes in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, cpus=cpus: set(range(cpus)))
        assert load(None, {}).processes == 1
        assert load(None, postgresql).processes == load(None, postgresql | {"METALPOOL_PROCESSES": "0"}).processes == processes
    assert load(None, postgresql | {"METALPOOL_PROCESSES": "7"}).processes == 7


def test_password_of_the_database_is_not_shown(tmp_path: Path) -> None:
    settings = load(
        None, {"METALPOOL_DATABASE_URL": "postgresql+psycopg://u:hidden@h/d", "METALPOOL_STATE_DIR": str(tmp_path)}
    )
    assert "hidden" not in json.dumps(settings.redacted())


def test_vault_keeps_and_rotates(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert create_key_file(file)
    assert not create_key_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    secret = Vault(file).encrypt("swordfish")
    assert "swordfish" not in secret
    file.write_text(Fernet.generate_key().decode() + "\n" + file.read_text())
    newer = Vault(file)
    assert newer.decrypt(secret) == "swordfish"
    rotated = newer.rotate(secret)
    file.write_text(file.read_text().splitlines()[0])
    assert Vault(file).decrypt(rotated) == "swordfish"
    with pytest.raises(VaultError, match="none of the keys"):
        Vault(file).decrypt(secret)


def test_vault_refuses_a_key_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    create_key_file(file)
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault(file)
    with pytest.raises(VaultError, match="init"):
        Vault(tmp_path / "missing")


def test_certificates_are_made_once_and_again_for_new_names(tmp_path: Path) -> None:
    assert len(ensure_certificates(tmp_path, ["localhost", "127.0.0.1"])) == 2
    assert ensure_certificates(tmp_path, ["127.0.0.1"]) == []
    ca = (tmp_path / "ca.crt").read_bytes()
    assert ensure_certificates(tmp_path, ["pool.example"]) == ["server certificate"]
    assert (tmp_path / "ca.crt").read_bytes() == ca
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    assert len(context.get_ca_certs()) == 1


def _run(tmp_path: Path, *arguments: str, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "inventory_service", *arguments],
        env={"METALPOOL_STATE_DIR": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


def test_command_line(tmp_path: Path) -> None:
    assert "run inventory-service init" in _run(tmp_path, "serve", expect=1)
    assert "first administrator's token" in _run(tmp_path, "init")
    again = _run(tmp_path, "init")
    assert "made:" not in again
    token_file = tmp_path / "worker.token"
    arguments = ["token", "create", "--user", "w", "--role", "worker", "--output", str(token_file)]
    assert "names its rack" in _run(tmp_path, *arguments, expect=1)
    said = _run(tmp_path, *arguments, "--rack", "r1")
    secret = token_file.read_text().strip()
    assert secret.startswith("mp_")
    assert secret not in said
    assert token_file.stat().st_mode & 0o777 == 0o600
    listed = _run(tmp_path, "token", "list")
    assert "worker rack r1" in listed
    assert secret not in listed
    number = next(line.split("\t")[0] for line in listed.splitlines() if "worker" in line)
    assert "revoked" in _run(tmp_path, "token", "revoke", number)
    assert "there is no token" in _run(tmp_path, "token", "revoke", "999", expect=1)
    _run(tmp_path, "user", "add", "carol")
    assert "carol" in _run(tmp_path, "user", "list")
    assert f"revision {newest_revision()}" in _run(tmp_path, "db", "upgrade")
    assert json.loads(_run(tmp_path, "config", "show"))["lease_seconds"] == 30
    for command in ("serve", "init", "token create", "db upgrade", "openapi"):
        assert "Usage" in _run(tmp_path, *command.split(), "--help")


def test_every_setting_is_in_the_operations_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operations-guide.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{name}`" not in guide] == []
