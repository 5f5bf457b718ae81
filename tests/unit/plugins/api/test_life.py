"""The plugins against the inventory service itself: a node's whole life, with a machine that is played by the test.

What a worker's playbook does on a node is left out; each report of it is made by the real action plugins.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.real_service import ROOT, RealService

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0sI1ZpQzF0mR6mN3cWq1rXb2y3n4p5q6r7s8t9u0v1 someone"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPf1e2d3c4b5a69788776655443322110ffeeddccbbaa99887766554 host"
FACTS = {
    "system": {"vendor": "Lab", "product": "One", "serial": "S1", "uuid": "11111111-2222-3333-4444-555555555555"},
    "firmware": {"kind": "uefi", "vendor": "x", "version": "1", "date": "", "secure_boot": False},
    "cpu": {"arch": "amd64", "model": "m", "sockets": 1, "cores": 2, "threads": 2, "mhz_max": 1000},
    "memory": {"bytes": 2 << 30, "usable_bytes": 2 << 30, "modules": []},
    "disks": [
        {"name": "sda", "path": "/dev/sda", "model": "d", "serial": "DISK1", "wwn": None, "size_bytes": 6 << 30,
         "kind": "ssd", "rotational": False, "transport": "sata", "wear_percent": None, "logical_block_bytes": 512},
    ],
    "interfaces": [
        {"name": "eth0", "mac": "52:54:00:00:00:01", "driver": "e1000e", "speed_mbps": 1000, "link": True,
         "pci_address": None, "lldp": None},
        {"name": "eth1", "mac": "52:54:00:00:00:02", "driver": "e1000e", "speed_mbps": None, "link": False,
         "pci_address": None, "lldp": None},
    ],
}  # fmt: skip

# What every operation's playbook does with the service, run by hand: claim, arm, wait for the node, report, end.
BY_HAND = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - metalpool.core.operation_claim:
        node: "{{ node }}"
        # A playbook of a user's may ask for the operation a moment later.
        kind: "{{ kind if kind == 'commission' else omit }}"
        wait_seconds: 30
        ssh_public_key: "{{ worker_key }}"
      register: claimed
    - ansible.builtin.set_fact:
        metalpool_claim: "{{ claimed.claim }}"
      no_log: true
    - metalpool.core.operation_step:
        name: boot
        message: the node boots
      register: step
    - metalpool.core.operation_arm:
      register: armed
    - ansible.builtin.copy:
        content: "{{ {'boot': armed.boot, 'nonce': armed.nonce} | to_json }}"
        dest: "{{ handed }}"
        mode: "0600"
      no_log: true
    - metalpool.core.operation_checkin_wait:
        timeout_seconds: "{{ [step.limit_seconds, 60] | min }}"
      register: node_is
    - ansible.builtin.assert:
        that: node_is.host_key.startswith('ssh-ed25519')
    - metalpool.core.operation_log:
        lines: ["it is at {{ node_is.address }}", "two\\nlines", "a brace {{ '{{' }} 1 {{ '}}' }}"]
    - metalpool.core.operation_report:
        what: "{{ item.what }}"
        data: "{{ item.data }}"
      loop: "{{ reports }}"
      no_log: true
    - metalpool.core.operation_phone_home_token:
      register: phone_home
      when: kind == 'deploy'
    - ansible.builtin.copy:
        content: "{{ phone_home.url_path }}"
        dest: "{{ handed }}.phone"
        mode: "0600"
      when: kind == 'deploy'
      no_log: true
    - metalpool.core.operation_phone_home_wait:
        timeout_seconds: 60
      when: kind == 'deploy'
    - metalpool.core.operation_result:
        outcome: "{{ outcome | default('succeeded') }}"
        reason: "{{ reason | default(omit) }}"
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealService]:
    """The service, with one rack and nobody working for it."""
    service = RealService(tmp_path_factory.mktemp("service"))
    service.token("worker", "worker", "--rack", "local")
    service.token("kim", "user")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def settings(real: RealService) -> dict[str, str]:
    """The administrator's settings as environment variables."""
    return {
        "METALPOOL_URL": real.url,
        "METALPOOL_CA_FILE": str(real.ca_file),
        "METALPOOL_TOKEN_FILE": str(real.directory / "state" / "admin.token"),
    }


@pytest.fixture
def module(
    real: RealService, settings: dict[str, str], environment: dict[str, str], run_module: Callable[..., dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """Run a module as the administrator, or with another token_file."""
    environment.update(settings)

    def run(module_name: str, /, check: bool = False, **params: Any) -> dict[str, Any]:
        return run_module(module_name, check, url=None, token=None, **params)

    return run


@pytest.fixture
def as_kim(real: RealService, module: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Run a module as an ordinary user."""

    def run(module_name: str, /, check: bool = False, **params: Any) -> dict[str, Any]:
        return module(module_name, check, token_file=str(real.directory / "kim.token"), **params)

    return run


@pytest.fixture
def by_hand(
    real: RealService,
    settings: dict[str, str],
    run_playbook: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Take a node through an operation with a playbook run by hand; the test plays the machine."""

    def run(
        kind: str, reports: list[dict[str, Any]], meanwhile: Callable[[], None] | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        handed = Path(tempfile.mkdtemp(dir=tmp_path)) / "handed"
        over = threading.Event()

        def machine() -> None:
            found = await_file(handed, over)
            if found is None:
                return
            if meanwhile is not None:
                meanwhile()
            said = json.loads(found)
            arrived = {**said, "host_key": HOST_KEY, "address": "172.30.7.101", "macs": ["52:54:00:00:00:01"]}
            assert real.post("/boot/checkin", arrived)[0] == 200
            if kind == "deploy":
                phone = await_file(Path(f"{handed}.phone"), over)
                real.post(phone or "", {"host_keys": [HOST_KEY], "address": "172.30.7.101"})

        player = threading.Thread(target=machine)
        player.start()
        variables = {"node": "m1", "kind": kind, "worker_key": KEY, "handed": str(handed), "reports": reports, **more}
        written = tmp_path / f"variables-{kind}.json"
        written.write_text(json.dumps(variables), encoding="utf-8")
        try:
            return run_playbook(BY_HAND, "-v", "-e", f"@{written}", **settings)
        finally:
            over.set()
            player.join()

    return run


def await_file(path: Path, over: threading.Event) -> str | None:
    """The content of a file that will be renamed to its place; None when the playbook ended without it."""
    while not over.wait(0.05):
        if path.exists():
            return path.read_text(encoding="utf-8")
    return None


ERASURE = {"serial": "DISK1", "path": "/dev/sda", "method": "overwrite", "verified": True, "detail": "zeros"}
NODE: dict[str, Any] = {
    "name": "m1",
    "arch": "amd64",
    "zone": "room-1",
    "tags": ["ssd"],
    "interfaces": [{"mac": "52-54-00-00-00-01"}],
    "bmc": {"address": "172.30.8.11", "username": "admin", "password": "factory-secret"},
}


def test_1_node_by_hand(module: Callable[..., dict[str, Any]]) -> None:
    would = module("node", check=True, **NODE)
    assert would["changed"]
    assert module("node_info")["nodes"] == []

    made = module("node", **NODE)
    assert made["changed"]
    assert made["node"]["state"] == "new"
    assert "factory-secret" not in json.dumps(made)
    assert would["diff"] == made["diff"]
    assert not module("node", **NODE)["changed"]

    moved = module("node", check=True, name="m1", zone="room-2", tags=[])
    assert moved["diff"] == {"before": {"zone": "room-1", "tags": ["ssd"]}, "after": {"zone": "room-2", "tags": []}}
    assert module("node_info", name="m1")["nodes"][0]["zone"] == "room-1"

    noted = module("node", name="m1", annotations={"unit": 17, "owner": "ops"})
    assert noted["node"]["annotations"] == {"unit": "17", "owner": "ops"}
    assert not module("node", name="m1", annotations={"unit": "17", "owner": "ops"})["changed"]
    assert module("node", name="m1", annotations={"unit": "17"})["node"]["annotations"] == {"unit": "17"}

    early = module("node", name="m1", root_disk="DISK1")
    assert not early["changed"]
    assert "known once it was commissioned" in json.dumps(early["warnings"])

    always = module("node", update_bmc_account="always", **NODE)
    assert always["changed"]
    assert "factory-secret" not in json.dumps(always)


def test_2_bad_input_is_named(module: Callable[..., dict[str, Any]]) -> None:
    failed = module("node", name="m9", interfaces=[{"mac": "nonsense"}], arch="amd64")
    assert failed["failed"]
    assert "nonsense" in failed["msg"]
    assert "allowed:" in failed["msg"]
    refused = module("operation", node="m1", kind="fly")
    assert "commission, deploy, release" in refused["msg"]


def test_3_commission(
    by_hand: Callable[..., subprocess.CompletedProcess[str]], module: Callable[..., dict[str, Any]], real: RealService
) -> None:
    asked = module("operation", check=True, node="m1", kind="commission")
    assert asked["changed"]
    assert asked["operation"] is None

    long = {"name": "burn", "phase": "after", "exit_code": 0, "output": "x" * 1_200_000}
    reports: list[dict[str, Any]] = [
        {"what": "power", "data": "on"},
        {"what": "bmc", "data": {"address": "172.30.8.11", "username": "metalpool", "password": "new-secret",
                                 "state": "proved"}},
        {"what": "facts", "data": FACTS},
        {"what": "script_results", "data": [long]},
        {"what": "findings", "data": []},
    ]  # fmt: skip
    done = by_hand("commission", reports)
    assert done.returncode == 0, done.stdout + done.stderr
    for secret in ("factory-secret", "new-secret"):
        assert secret not in done.stdout + done.stderr

    node = module("node_info", name="m1", details=["facts", "events", "erasures"])["nodes"][0]
    assert node["state"] == "ready"
    assert node["bmc"]["username"] == "metalpool"
    assert node["facts"]["system"]["serial"] == "S1"
    assert node["erasures"] == []
    assert node["events"]

    # The playbook that added it says the factory account and one interface: neither must come back.
    assert not module("node", **NODE)["changed"]
    assert module("node", name="m1", root_disk="DISK1")["node"]["root_disk"] == "DISK1"

    operation = module("operation_info", node="m1", log=True)["operations"][0]
    messages = [line["message"] for line in operation["log"]]
    assert {"it is at 172.30.7.101", "two", "lines", "a brace {{ 1 }}"} <= set(messages)


def test_4_image_pool_and_key(module: Callable[..., dict[str, Any]], as_kim: Callable[..., dict[str, Any]]) -> None:
    image = {"name": "debian-trixie", "os": "debian", "version": "13", "arch": "amd64",
             "path": "/images/debian-trixie.raw.zst", "format": "raw.zst", "sha256": "0" * 64, "size_bytes": 10,
             "disk_bytes": 20, "default_user": "debian", "boot": ["bios", "uefi"]}  # fmt: skip
    assert module("image", check=True, **image)["changed"]
    assert module("image_info")["images"] == []
    assert module("image", **image)["changed"]
    assert not module("image", **image)["changed"]
    changed = module("image", name="debian-trixie", size_bytes=11)
    assert changed["diff"] == {"before": {"size_bytes": 10}, "after": {"size_bytes": 11}}
    assert changed["image"]["url"] == "/images/debian-trixie.raw.zst"

    assert module("pool", name="ci", wait_in_ephemeral=True)["changed"]
    assert not module("pool", name="ci", wait_in_ephemeral=True)["changed"]
    assert module("pool", check=True, name="ci", auto_accept=True)["pool"]["auto_accept"] is True
    pool = module("pool", name="ci", description="x", default_role="viewer")["pool"]
    assert pool == pool | {
        "name": "ci", "description": "x", "wait_in_ephemeral": True, "erase_methods": [], "weak_boot_token": False,
        "default_role": "viewer",
    }  # fmt: skip

    assert as_kim("ssh_key", check=True, name="laptop", key=KEY)["changed"]
    assert as_kim("ssh_key", name="laptop", key=KEY)["changed"]
    assert not as_kim("ssh_key", name="laptop", key=KEY)["changed"]
    assert as_kim("ssh_key", name="laptop", state="absent")["changed"]
    assert not as_kim("ssh_key", name="laptop", state="absent")["changed"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"mem": "banana"}, ["banana", "32GiB"]),
        ({"mem": "-1G"}, ["-1G"]),
        ({"constraints": {"colour": "red"}}, ["colour", "mem", "where"]),
        ({"image": "windows"}, ["windows", "debian-trixie"]),
        ({"mem": "64G"}, ["mem=64G excluded 1 of 1 nodes"]),
        ({"zone": "nowhere"}, ["nowhere", "room-1"]),
    ],
)
def test_5_what_cannot_be_says_why(
    as_kim: Callable[..., dict[str, Any]], wanted: dict[str, Any], expected: list[str]
) -> None:
    failed = as_kim("allocation", name="web1", ssh_keys=[KEY], wait=False, **wanted)
    assert failed["failed"]
    for words in expected:
        assert words in failed["msg"]
    assert as_kim("allocation_info")["allocations"] == []


def test_6_nobody_could_log_in(as_kim: Callable[..., dict[str, Any]], environment: dict[str, str]) -> None:
    failed = as_kim("allocation", name="web1", wait=False)
    assert "nobody could log in" in failed["msg"]
    private = Path(environment["HOME"], "id")
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n", encoding="utf-8")
    assert "is a private key" in as_kim("allocation", name="web1", ssh_key_files=[str(private)])["msg"]


def test_7_acquire_deploy_and_use(
    as_kim: Callable[..., dict[str, Any]],
    environment: dict[str, str],
    by_hand: Callable[..., subprocess.CompletedProcess[str]],
    real: RealService,
) -> None:
    assert "nobody could log in" in as_kim("allocation", check=True, name="web1", mem="1G")["msg"]
    assert as_kim("allocation", check=True, name="web1", mem="1G", ssh_keys=[KEY])["changed"]
    assert as_kim("allocation_info")["allocations"] == []

    # No key was given or registered: the one in ~/.ssh is taken. The image is the only one that there is.
    ssh = Path(environment["HOME"], ".ssh")
    ssh.mkdir()
    (ssh / "id_ed25519.pub").write_text(KEY + "\n", encoding="utf-8")
    asked = as_kim("allocation", name="web1", mem="2048M", wait=False, note="a try", annotations={"job": 7})
    assert asked["changed"], asked
    assert asked["allocation"]["state"] == "deploying"
    assert asked["allocation"]["image"] == "debian-trixie"
    assert (asked["allocation"]["note"], asked["allocation"]["annotations"]) == ("a try", {"job": "7"})
    again = as_kim("allocation", name="web1", mem="2048M", wait=False, annotations={"job": 7})
    assert not again["changed"]
    assert again["allocation"]["node"] == "m1"

    broken = by_hand("deploy", [], outcome="failed", reason="the image's checksum is wrong " + "x" * 5000)
    assert broken.returncode == 0, broken.stdout
    failed = as_kim("allocation_info", name="web1")["allocations"][0]
    assert failed["state"] == "failed"
    assert "the image's checksum is wrong" in failed["reason"]

    retried = as_kim("allocation", name="web1", wait=False)
    assert retried["changed"]
    assert retried["operation"]["state"] == "queued"
    waited = as_kim("allocation", name="web1", wait_timeout=1)
    assert "has not ended within 1 s" in waited["msg"]

    done = by_hand("deploy", [])
    assert done.returncode == 0, done.stdout + done.stderr
    noted = as_kim("allocation", name="web1", note="it works", annotations={"job": None, "team": "web"})
    assert noted["changed"]
    assert (noted["allocation"]["note"], noted["allocation"]["annotations"]) == ("it works", {"team": "web"})
    assert not as_kim("allocation", name="web1", note="it works", annotations={"team": "web"})["changed"]
    kept = as_kim("allocation", name="web1", image="other")
    assert not kept["changed"]
    assert kept["allocation"]["state"] == "active"
    assert "stays as it is" in json.dumps(kept["warnings"])


def test_8_inventory(
    real: RealService, environment: dict[str, str], settings: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "nodes.metalpool.yml"
    source.write_text(
        "plugin: metalpool.core.nodes\nkeyed_groups: [{key: metalpool_arch, prefix: arch}]\n"
        "compose: {double: metalpool_cpus * 2}\ngroups: {small: metalpool_memory_bytes < 4294967296}\n",
        encoding="utf-8",
    )

    def inventory(*words: str) -> Any:
        done = subprocess.run(
            ["ansible-inventory", "-i", str(source), *words],
            env={**environment, **settings, "METALPOOL_TOKEN_FILE": str(real.directory / "kim.token")},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    host = inventory("--host", "web1")
    assert host["ansible_host"] == "172.30.7.101"
    assert host["ansible_user"] == "debian"
    assert host["double"] == 4
    found = inventory("--list")
    groups = {name for name, group in found.items() if "web1" in group.get("hosts", [])}
    expected = "zone_room_1 pool_default tag_ssd image_debian_trixie user_kim arch_amd64 small"
    assert groups == set(expected.split())
    known = Path(environment["HOME"], ".cache", "metalpool", "known_hosts").read_text(encoding="utf-8")
    assert known == f"172.30.7.101 {' '.join(HOST_KEY.split()[:2])} {real.url}\n"


def test_9_release(
    as_kim: Callable[..., dict[str, Any]],
    by_hand: Callable[..., subprocess.CompletedProcess[str]],
    module: Callable[..., dict[str, Any]],
) -> None:
    assert as_kim("allocation", check=True, name="web1", state="absent")["changed"]
    assert as_kim("allocation_info", name="web1")["allocations"][0]["state"] == "active"
    asked = as_kim("allocation", name="web1", state="absent", wait=False)
    assert asked["changed"]
    assert asked["operation"]["kind"] == "release"
    assert not as_kim("allocation", name="web1", state="absent", wait=False)["changed"]
    assert "is being released" in as_kim("allocation", name="web1", wait=False)["msg"]

    done = by_hand("release", [{"what": "erasures", "data": [ERASURE]}])
    assert done.returncode == 0, done.stdout + done.stderr
    assert not as_kim("allocation", name="web1", state="absent")["changed"]
    node = module("node_info", name="m1", details=["erasures"])["nodes"][0]
    assert node["state"] == "ready"
    assert node["erasures"][0]["verified"] is True


@pytest.mark.parametrize(
    ("directory", "acquire", "release"),
    [
        ("playbooks", "acquire.yml", "release.yml"),
        (".", "playbooks/acquire.yml", "metalpool.core.release"),
    ],
)
def test_a_playbooks_of_users_while_the_service_restarts(
    directory: str,
    acquire: str,
    release: str,
    real: RealService,
    environment: dict[str, str],
    settings: dict[str, str],
    by_hand: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    here = {**environment, **settings, "METALPOOL_TOKEN_FILE": str(real.directory / "kim.token")}
    del here["ANSIBLE_COLLECTIONS_PATH"], here["PYTHONPATH"]

    def start(*words: str) -> subprocess.Popen[str]:
        command = ["ansible-playbook", *words]
        return subprocess.Popen(command, cwd=ROOT / directory, env=here, stdout=subprocess.PIPE, text=True)

    def restart() -> None:
        real.stop()
        real.start()

    checked = start(acquire, "-e", "mem=2G", "-e", json.dumps({"ssh_keys": [KEY]}), "--check").communicate()[0]
    assert "not made in check mode" in checked
    assert "failed=0" in checked

    acquiring = start(acquire, "-e", "mem=2G", "-e", "allocation=web2", "-e", json.dumps({"ssh_keys": [KEY]}))
    done = by_hand("deploy", [], meanwhile=restart)
    assert done.returncode == 0, done.stdout
    said = acquiring.communicate(timeout=120)[0]
    assert acquiring.returncode == 0, said
    assert "m1 deploy 2/9 Boot the ephemeral OS: done in" in said
    assert "m1 deploy: succeeded" in said
    known = Path(environment["HOME"], ".cache", "metalpool", "known_hosts")
    assert f"Log in: ssh -o UserKnownHostsFile={known}" in said
    assert "debian@172.30.7.101" in said
    assert HOST_KEY.split()[1] in known.read_text(encoding="utf-8")

    releasing = start(release, "-e", "allocation=web2")
    done = by_hand("release", [{"what": "erasures", "data": [ERASURE]}])
    assert done.returncode == 0, done.stdout
    said = releasing.communicate(timeout=120)[0]
    assert releasing.returncode == 0, said
    assert "Allocation web2: m1 given back" in said
    nothing = start(release, "-e", "allocation=web2").communicate()[0]
    assert "Allocation web2: not held, nothing to do" in nothing
    unnamed = start(release).communicate()[0]
    assert "allocation is not given" in unnamed


def test_b_cancelling_is_idempotent(module: Callable[..., dict[str, Any]]) -> None:
    started = module("operation", node="m1", kind="commission", wait=False)
    joined = module("operation", node="m1", kind="commission", wait=False)
    assert started["changed"]
    assert not joined["changed"]
    assert joined["operation"]["id"] == started["operation"]["id"]
    assert module("operation", check=True, node="m1", state="cancelled")["changed"]
    gone = module("operation", node="m1", state="cancelled", wait_timeout=60)
    assert gone["changed"]
    assert gone["operation"]["state"] == "cancelled"
    assert not module("operation", id=gone["operation"]["id"], state="cancelled")["changed"]


def test_c_node_absent(module: Callable[..., dict[str, Any]]) -> None:
    assert module("node", check=True, name="m1", state="absent")["changed"]
    assert module("node", name="m1", state="absent")["changed"]
    assert not module("node", name="m1", state="absent")["changed"]
