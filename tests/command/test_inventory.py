"""The pool as its administrator has it from the shell."""

from __future__ import annotations

import json
from pathlib import Path

from metalpool_cli.commands import catalogue
from metalpool_cli.records import Group

from tests.command.conftest import SOURCES, Begin, Run
from tests.service.played_pool import PlayedPool
from tests.service.world import Work, until


def test_records(run: Run) -> None:
    admin = {"user": "admin"}
    run("zone", "set", "row-9", "--description", "hall 2", **admin)
    assert "row-9    hall 2" in run("zone", "list").stdout
    run("fabric", "set", "core", **admin)
    run("vlan", "set", "servers", "--fabric", "core", "--vid", "7", **admin)
    one = json.loads(run("subnet", "set", "s7", "--vlan", "servers", "--cidr", "10.7.0.0/24", "--assign", "--json", **admin).stdout)
    assert one["assign"] is True and json.loads(run("subnet", "show", "s7", "--json").stdout)["cidr"] == "10.7.0.0/24"
    run("tag", "set", "big", "--expression", "cpus >= 32", **admin)
    run("pool", "set", "lab", "--lease-max-seconds", "3600", "--lease-required", **admin)
    changed = json.loads(run("pool", "set", "lab", "--lease-max-seconds", "7200", "--json", **admin).stdout)
    assert (changed["lease_max_seconds"], changed["lease_required"]) == (7200, True), "what is left out stays"
    for words in (("subnet", "s7"), ("vlan", "servers"), ("fabric", "core"), ("tag", "big"), ("pool", "lab"), ("zone", "row-9")):
        run(words[0], "delete", words[1], **admin)


def test_people(run: Run) -> None:
    admin = {"user": "admin"}
    run("user", "add", "ann", **admin)
    run("group", "set", "web", "--member", "ann", "--member", "kim", **admin)
    grant = json.loads(run("grant", "set", "viewer", "--group", "web", "--json", **admin).stdout)
    assert "web" in run("grant", "list", **admin).stdout
    run("grant", "delete", str(grant["id"]), **admin)
    run("quota", "set", "default", "ann", "--nodes", "3", **admin)
    assert "0 of 3" in run("quota", "list", **admin).stdout
    run("quota", "delete", "default", "ann", **admin)
    run("group", "delete", "web", **admin)


def test_keys(run: Run) -> None:
    assert "is registered" in run("key", "add").stdout
    assert "laptop" in run("key", "list").stdout
    run("key", "delete", "laptop")


def test_a_node_is_added_and_taken_over(run: Run, begin: Begin, pool: PlayedPool, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("factory\n")
    account = ("--bmc", "192.0.2.77", "--bmc-user", "admin", "--bmc-password-file", str(password))
    run("node", "add", "z1", "--mac", "52:54:00:77:00:01", *account, "--zone", "b", user="admin")
    taking = begin("commission", "z1", user="admin")
    until(lambda: pool.get("/operations?state=queued")["items"])
    Work(pool, "z1").commission()  # type: ignore[arg-type]
    out, err = taking.communicate(timeout=60)
    assert (taking.returncode, out) == (0, "z1: commission succeeded\n"), err
    run("node", "set", "z1", "--tag", "noisy", "--comment", "fan", user="admin")
    assert "noisy" in run("nodes", "zone=b", "tag:noisy", "mem<64G", "--sort", "-mem,name").stdout
    shown = run("node", "show", "z1", user="admin").stdout
    assert "ipmi at 192.0.2.77:623" in shown and "factory" not in shown
    assert json.loads(run("node", "facts", "z1").stdout)["node"] == "z1"
    run("node", "set-aside", "z1", "--comment", "fan", user="admin")
    run("node", "mark-fixed", "z1", "--comment", "new fan", user="admin")
    run("node", "retire", "z1", "--comment", "sold", user="admin")
    run("node", "delete", "z1", user="admin")


def test_images_and_events(run: Run) -> None:
    words = ("--os", "debian", "--version", "14", "--arch", "amd64", "--boot", "uefi", "--url", "/images/x.raw.zst")
    sizes = ("--sha256", "cd" * 32, "--size-bytes", "100", "--disk-bytes", "1073741824", "--default-user", "debian")
    run("image", "register", "debian-14", *words, *sizes, user="admin")
    assert "debian-14" in run("image", "list").stdout
    lines = run("events", "kind=image.added", "--json", user="admin").stdout.splitlines()
    assert json.loads(lines[-1])["detail"]["image"] == "debian-14"
    run("image", "delete", "debian-14", user="admin")


def test_every_kind_of_record_is_one_of_the_api() -> None:
    document = json.loads((SOURCES.parent / "docs" / "openapi.json").read_text())
    groups = [one for one in vars(catalogue).values() if isinstance(one, Group)]
    assert len(groups) == 9
    schemas = document["components"]["schemas"]
    for group in groups:
        change = schemas.get(f"{group.name.capitalize()}Change") or schemas.get(f"{group.name.capitalize()}In")
        change = schemas["NamedChange"] if group.name in ("zone", "fabric", "space") else change
        options = [one.name for one in group.commands["set"].params] if "set" in group.commands else []
        assert set(options) - {"name", "json", "quiet"} <= set(change["properties"]), group.name


def test_tokens(run: Run, pool: PlayedPool, tmp_path: Path) -> None:
    path = tmp_path / "new.token"
    made = run("token", "create", "--name", "pipeline", "--scope", "read", "--output", str(path), "--json")
    secret = path.read_text().strip()
    assert path.stat().st_mode & 0o777 == 0o600 and secret not in made.stdout + made.stderr
    assert "no token was made" in run("token", "create", "--output", str(path), expect=1).stderr
    token = {"METALPOOL_TOKEN_FILE": str(path)}
    assert json.loads(run("whoami", "--json", **token).stdout)["user"] == "kim"
    run("acquire", "web1", "--no-deploy", expect=4, **token)
    number = str(json.loads(made.stdout)["id"])
    listed = run("token", "list").stdout
    assert "pipeline" in listed and secret not in listed
    run("token", "revoke", number)
    assert "The API token is missing, wrong or expired" in run("whoami", expect=4, **token).stderr
