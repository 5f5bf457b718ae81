"""The second half of a machine's life: acquire, use, release. The tests run in their order, on one site."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from testbed.site import ROOT, VENV, Site
from tests.e2e.conftest import disk_files

MARKER = os.urandom(24).hex().encode()
ALLOCATION = "life"


def contains(file: Path, needle: bytes) -> bool:
    """Whether the bytes stand anywhere in the file, found from outside the machine."""
    return subprocess.run(["grep", "-c", "-a", "-F", "-m1", needle.decode(), str(file)], check=False, capture_output=True).returncode == 0


def ansible(site: Site, *words: str, environment: dict[str, str] | None = None) -> str:
    """One of Ansible's commands as the user types it."""
    ended = subprocess.run([str(VENV / "bin" / words[0]), *words[1:]], cwd=ROOT, env=environment or site.environment,
                           check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def bmc(site: Site, *words: str, user: str = "admin", password: str = "factory-2") -> subprocess.CompletedProcess[str]:
    """ipmitool on the BMC of t2, with the account that its maker put there or another."""
    address = site.admin.get("/nodes/t2")["bmc"]["address"]
    return subprocess.run(["ipmitool", "-I", "lanplus", "-C", "3", "-H", address, "-U", user, "-E", *words],
                          env=os.environ | {"IPMI_PASSWORD": password}, check=False, capture_output=True, text=True)


def test_acquire_survives_a_killed_service(site: Site, commissioned: dict[str, dict[str, Any]],
                                           user_key: Path, colleague_key: Path) -> None:
    """The service is killed with SIGKILL while the image is being written and started again; the deploy goes on."""
    variables = {"mem": "2G", "image": "debian-12", "allocation": ALLOCATION, "ssh_key_file": f"{user_key}.pub",
                 "extra_users": [{"name": "ops", "ssh_keys": [colleague_key.with_suffix(".pub").read_text().strip()]}]}
    killed = []

    def kill_once(line: str) -> None:
        if "write" in line.lower() and not killed:
            killed.append(line)
            site.kill("inventory")
            site.start()

    printed = site.playbook("playbooks/acquire.yml", variables, on_line=kill_once)
    assert killed, printed
    allocation = site.admin.get(f"/allocations/{ALLOCATION}")
    assert (allocation["state"], allocation["node"]) == ("active", "t2"), "best fit: the smallest machine that has 2 GiB"
    assert [one["ip"] for one in allocation["addresses"]] == [f"{site.nodes_network}.2"], "the lowest free one"
    assert allocation["address"] == f"{site.nodes_network}.2", "the installed system is there, and not where DHCP would have put it"


def test_acquiring_again_changes_nothing(site: Site, user_key: Path) -> None:
    before = site.admin.get(f"/allocations/{ALLOCATION}")
    printed = site.playbook("metalpool.core.acquire", {"mem": "2G", "image": "debian-12", "allocation": ALLOCATION,
                                                       "ssh_key_file": f"{user_key}.pub"})
    assert "changed=0" in printed
    assert site.admin.get(f"/allocations/{ALLOCATION}") == before


def test_the_inventory_verifies_the_first_connection(site: Site, user_key: Path) -> None:
    graph = ansible(site, "ansible-inventory", "-i", "playbooks/nodes.metalpool.yml", "--graph")
    for group in ("zone_default", "pool_default", "image_debian_12", "user_admin"):
        assert f"@{group}:" in graph
    assert ALLOCATION in graph
    words = ["-i", "playbooks/nodes.metalpool.yml", "--private-key", str(user_key)]
    printed = site.playbook("testbed/playbooks/hello.yml", arguments=words)
    assert f"hello from {ALLOCATION}, Debian GNU/Linux 12" in printed


def test_only_the_holders_keys_open_the_node(site: Site, user_key: Path, colleague_key: Path, tmp_path: Path) -> None:
    allocation = site.admin.get(f"/allocations/{ALLOCATION}")
    (tmp_path / "known_hosts").write_text("".join(f"{allocation['address']} {key}\n" for key in allocation["host_keys"]))

    def login(user: str, key: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                               "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={tmp_path}/known_hosts",
                               f"{user}@{allocation['address']}",
                               f"sudo sh -c 'echo {MARKER.decode()} > /root/marker; sync; cat /root/marker; "
                               "getent shadow | cut -d: -f1,2'"],
                              check=False, capture_output=True, text=True)

    own = login(allocation["ssh_user"], user_key)
    assert MARKER.decode() in own.stdout, own.stderr
    other = login("ops", colleague_key)
    assert other.returncode not in (0, 255) and "password is required" in other.stderr, "an extra user gets in, without sudo"
    assert all(line.split(":")[1][:1] in "!*" for line in own.stdout.splitlines() if ":" in line), "no password opens any account"
    rack_key = site.state / "rack" / "id_ed25519"
    for user, key in (("root", user_key), ("root", rack_key), (allocation["ssh_user"], rack_key), (allocation["ssh_user"], colleague_key)):
        refused = login(user, key)
        assert refused.returncode == 255 and "Permission denied" in refused.stderr, (user, key, refused.stdout, refused.stderr)
    assert any(contains(file, MARKER) for file in disk_files(site, "t2")), "the search that must find nothing later finds it now"


def test_release_erases_and_proves_it(site: Site) -> None:
    """Beside the disks, an account that the holder made on the BMC is shut."""
    for words in (("set", "name", "5", "backdoor"), ("set", "password", "5", "open-sesame"), ("priv", "5", "4", "1"), ("enable", "5")):
        done = bmc(site, "user", *words)
        assert done.returncode == 0, done.stderr
    assert bmc(site, "mc", "info", user="backdoor", password="open-sesame").returncode == 0
    bmc_before = site.admin.get("/nodes/t2")["bmc"]
    site.playbook("playbooks/release.yml", {"allocation": ALLOCATION})
    node = site.admin.get("/nodes/t2")
    assert node["state"] == "ready" and node["allocation"] is None
    erasures = site.admin.get("/nodes/t2/erasures")["items"]
    assert {erasure["serial"] for erasure in erasures} == {disk["serial"] for disk in node["disks"]}
    assert all(erasure["verified"] and erasure["method"] and erasure["seconds"] >= 0 for erasure in erasures)
    for file in disk_files(site, "t2"):
        assert not contains(file, MARKER), f"the previous user's bytes are still in {file}"
    assert node["bmc"] == bmc_before, "same account"
    assert bmc(site, "mc", "info", user="backdoor", password="open-sesame").returncode != 0
    assert site.chassis("t2", "get", "power") == "power:0"


def test_releasing_again_changes_nothing(site: Site) -> None:
    assert "changed=0" in site.playbook("metalpool.core.release", {"allocation": ALLOCATION})


def test_no_secret_is_left_lying_about(site: Site) -> None:
    """BMC passwords as the lab has them and tokens are in no log and in no run directory."""
    secrets = [(site.state / "service" / "worker.token").read_text().strip(), site.admin_token_file.read_text().strip()]
    logs = [*Path("/var/log/metalpool").glob(f"{site.name}-*.log"), *(site.state / "rack" / "runs").rglob("*"),
            *(site.lab / "nodes").glob("*/console.log")]
    started = time.monotonic()
    for file in logs:
        if file.is_file():
            text = file.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], file
    assert time.monotonic() - started < 60
