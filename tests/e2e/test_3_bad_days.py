"""Bad days of a deploy. The machine stands in the ephemeral OS where that changes nothing about the fault, so no test boots in vain."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from inventory_service.worker.leftovers import processes_of
from testbed.client import Refused
from testbed.demo import wait_enlisted
from testbed.site import Site
from tests.e2e.conftest import log_of

SLACK_SECONDS = 60
"""The promise: a fault shows within this time plus the step's own limit."""

KEYS = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGcvcjdDK3FKYxqSZNdhCcRUFvSVrd8wUGsgXCTBnyR nobody"]


@pytest.fixture(scope="module")
def waiting(site: Site, commissioned: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The name of a machine that is ready and waits in the ephemeral OS, as its pool's policy says."""
    site.admin.call("PUT", "/pools/default", {"wait_in_ephemeral": True})
    operation = site.admin.post("/nodes/t1/operations", {"kind": "commission"})
    assert site.admin.wait_operation(operation["id"], 900)["state"] == "succeeded"
    yield "t1"
    site.admin.call("PUT", "/pools/default", {"wait_in_ephemeral": False})


def acquire(site: Site, name: str, node: str, image: str = "debian-12") -> dict[str, Any]:
    """Ask for a deploy and return the allocation while the operation goes on."""
    body = {"name": name, "constraints": {"node": node}, "image": image, "credentials": {"ssh_keys": KEYS}}
    allocation: dict[str, Any] = site.admin.post("/allocations", body)
    return allocation


def wait_step(site: Site, operation: str, step: str, seconds: float = 300) -> None:
    """Until the operation stands at a step."""
    deadline = time.monotonic() + seconds
    while (found := site.admin.get(f"/operations/{operation}"))["step"] != step:
        assert found["state"] in ("queued", "running"), f"{found['state']}: {found['reason']}\n{log_of(site, operation)}"
        assert time.monotonic() < deadline, f"at {found['step']} after {seconds} s\n{log_of(site, operation)}"
        time.sleep(0.2)


def wait_written(site: Site, node: str, megabytes: int) -> None:
    """Until that much of an image stands on the machine's disk, seen from outside."""
    file = next(iter(sorted((site.lab / "nodes" / node).glob("disk*.raw"))))
    deadline = time.monotonic() + 300
    while file.stat().st_blocks * 512 < megabytes << 20:
        assert time.monotonic() < deadline, "the image is not being written"
        time.sleep(0.1)


def expect_failed(site: Site, allocation: dict[str, Any], *words: str) -> None:
    """The operation has failed with a reason, the allocation is not lost, and the node stays with its holder."""
    operation = site.admin.wait_operation(allocation["operation"], 900)
    assert operation["state"] == "failed", log_of(site, operation["id"])
    for word in words:
        assert word in operation["reason"].lower(), operation["reason"]
    now = site.admin.get(f"/allocations/{allocation['name']}")
    assert (now["state"], now["node"]) == ("failed", allocation["node"])
    assert site.admin.get(f"/nodes/{allocation['node']}")["state"] == "failed_deploying"
    with pytest.raises(Refused) as refused:
        acquire(site, "somebody-else", allocation["node"])
    assert refused.value.status == 409


def release(site: Site, name: str, seconds: float = 900) -> dict[str, Any]:
    """Give an allocation back and wait for the end of it."""
    return site.admin.wait_operation(site.admin.delete(f"/allocations/{name}")["id"], seconds)


class ImageServer:
    """An HTTP server for one image that stops sending after some bytes, closing or staying silent."""

    def __init__(self, address: str, file: Path, stop_after: int, silent: bool) -> None:
        released = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(file.stat().st_size))
                self.end_headers()
                with file.open("rb") as source:
                    self.wfile.write(source.read(stop_after))
                self.wfile.flush()
                if silent:
                    released.wait(600)

            def log_message(self, *arguments: Any) -> None:
                return

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_address[1]}/image"
        self._released = released
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self.server.shutdown()
        self.server.server_close()


def image(site: Site) -> dict[str, Any]:
    """What the service knows of the image that was built."""
    found: dict[str, Any] = site.admin.get("/images/debian-12")
    return found


def register(site: Site, name: str, **changes: Any) -> None:
    """The same image under another name, with something wrong about it."""
    fields = {key: value for key, value in image(site).items() if key in
              ("os", "version", "arch", "url", "format", "sha256", "size_bytes", "disk_bytes", "default_user", "boot")}
    site.admin.post("/images", fields | {"name": name} | changes)


def test_a_cancelled_operation_ends_soon_and_nothing_of_it_goes_on(site: Site, commissioned: dict[str, dict[str, Any]]) -> None:
    operation = site.admin.post("/nodes/t1/operations", {"kind": "commission"})
    wait_step(site, operation["id"], "boot")
    runs = list((site.state / "rack" / "runs").glob("commission-*"))
    assert runs and all(processes_of(run) for run in runs)
    started = time.monotonic()
    site.admin.post(f"/operations/{operation['id']}/cancel")
    assert site.admin.wait_operation(operation["id"], SLACK_SECONDS)["state"] == "cancelled"
    assert time.monotonic() - started < SLACK_SECONDS
    assert not [run for run in runs if run.exists() or processes_of(run)]
    assert site.admin.get("/nodes/t1")["state"] == "failed_commissioning"


def test_a_wrong_checksum_is_found_and_nothing_of_the_image_can_boot(site: Site, waiting: str) -> None:
    register(site, "wrong-checksum", sha256="0" * 64)
    allocation = acquire(site, "checksum", waiting, "wrong-checksum")
    expect_failed(site, allocation, "sha")
    with (site.lab / "nodes" / waiting / "disk0.raw").open("rb") as disk:
        assert not any(disk.read(1 << 20)), "neither boot loader nor partition table is left"


@pytest.mark.parametrize("silent", [False, True], ids=["closes", "falls-silent"])
def test_the_image_server_stops_in_the_middle(site: Site, waiting: str, silent: bool) -> None:
    url = image(site)["url"]
    server = ImageServer(f"{site.nodes_network}.1", site.state / "www" / url.lstrip("/"), 40 << 20, silent)
    try:
        register(site, f"stopping-{silent}".lower(), url=server.url)
        started = time.monotonic()
        operation = site.admin.post("/allocations/checksum/deploy", {"image": f"stopping-{silent}".lower()})
        expect_failed(site, site.admin.get("/allocations/checksum") | {"operation": operation["id"]}, "image")
        assert time.monotonic() - started < 60 + SLACK_SECONDS + 60, "deploy_stall_seconds is 60"
    finally:
        server.close()


def test_a_killed_worker_and_a_power_cut_end_in_a_deploy_that_works(site: Site, waiting: str) -> None:
    """Retried in place after the failures above. The worker is killed in the middle of writing, and then the power is cut."""
    operation = site.admin.post("/allocations/checksum/deploy", {"image": "debian-12"})
    wait_step(site, operation["id"], "write_image")
    wait_written(site, waiting, 64)
    killed = time.monotonic()
    site.kill("worker")
    site.kill_runs()
    site.start()
    while site.admin.get(f"/operations/{operation['id']}")["attempt"] < 2:
        assert time.monotonic() - killed < SLACK_SECONDS + 30, "the lost run was not noticed"
        time.sleep(0.5)
    wait_step(site, operation["id"], "write_image", 400)
    wait_written(site, waiting, 64)
    cut = time.monotonic()
    site.chassis(waiting, "set", "power", "0")
    ended = site.admin.wait_operation(operation["id"], 600)
    assert ended["state"] == "failed", log_of(site, operation["id"])
    assert time.monotonic() - cut < SLACK_SECONDS + 120, ended["reason"]
    assert site.admin.get("/allocations/checksum")["state"] == "failed"


def boot_script(site: Site, node: dict[str, Any]) -> str:
    """What the boot server tells a machine that takes the node's MAC and identity."""
    query = f"mac={node['interfaces'][0]['mac']}&uuid={node['uuid']}&platform=efi"
    return urllib3.request("GET", f"{site.boot_url}/boot/ipxe?{query}", retries=False).data.decode()


def check_in(site: Site, node: dict[str, Any], script: str, token: str | None) -> tuple[str, int]:
    """Check in as another machine with what it was told, and a guess for what it does not know: the answer and its status."""
    boot = next(word.split("=", 1)[1] for word in script.split() if word.startswith("metalpool.boot="))
    answer = urllib3.request("POST", f"{site.boot_url}/boot/checkin", retries=False, json={
        "boot": boot, "nonce": None if token else "00" * 12, "token": token, "host_key": KEYS[0].rsplit(" ", 1)[0],
        "address": f"{site.nodes_network}.66", "uuid": node["uuid"], "macs": [node["interfaces"][0]["mac"]]})
    return answer.data.decode(), answer.status


def test_an_impostor_that_asks_first_gets_nothing(site: Site, waiting: str) -> None:
    """The retry in place, with another machine that claims the node's MAC and asks before the node itself does."""
    operation = site.admin.post("/allocations/checksum/deploy", {"image": "debian-12"})
    wait_step(site, operation["id"], "boot")
    node = site.admin.get(f"/nodes/{waiting}")
    script = boot_script(site, node)
    answer, status = check_in(site, node, script, None)
    assert status == 403
    text = script + answer
    assert "ssh-ed25519" not in text and "metalpool.token" not in text
    events = json.dumps(site.admin.get(f"/nodes/{waiting}/events"))
    assert "security.checkin-refused" in events
    ended = site.admin.wait_operation(operation["id"], 1500)
    assert ended["state"] == "succeeded", log_of(site, operation["id"])
    allocation = site.admin.get("/allocations/checksum")
    assert allocation["state"] == "active"
    assert allocation["address"] != f"{site.nodes_network}.66"
    assert release(site, "checksum")["state"] == "succeeded"


@pytest.mark.long
def test_a_node_that_never_boots_fails_in_time_and_can_be_retried(site: Site, waiting: str) -> None:
    """Its network cable is out: no DHCP, no boot. The release fails at its step's limit; nothing is handed out dirty."""
    taken = site.admin.post("/allocations", {"name": "cable", "constraints": {"node": waiting}, "deploy": False})
    assert (taken["state"], taken["operation"]) == ("allocated", None)
    cable = ["ip", "-n", site.namespace, "link", "set", site.machines[waiting]["interfaces"][0]["tap"]]
    subprocess.run([*cable, "down"], check=True)
    try:
        operation = site.admin.delete("/allocations/cable")
        limit = next(step["limit_seconds"] for step in operation["steps"] if step["name"] == "boot")
        wait_step(site, operation["id"], "boot")
        started = time.monotonic()
        ended = site.admin.wait_operation(operation["id"], limit + SLACK_SECONDS + 30)
        assert ended["state"] == "failed" and "boot" in ended["reason"]
        assert time.monotonic() - started < limit + SLACK_SECONDS
    finally:
        subprocess.run([*cable, "up"], check=True)
    assert site.admin.get(f"/nodes/{waiting}")["state"] == "failed_releasing"
    assert site.admin.get("/allocations/cable")["state"] != "released"
    assert release(site, "cable")["state"] == "succeeded"
    assert site.admin.get(f"/nodes/{waiting}")["state"] == "ready"


@pytest.mark.long
def test_a_node_without_a_known_bmc_boots_by_a_token_that_works_once(site: Site, waiting: str) -> None:
    """Registered by hand with no BMC, under the weaker policy; a person presses the power button, and somebody listens on the wire."""
    known = site.admin.get(f"/nodes/{waiting}")
    site.chassis(waiting, "set", "power", "0")
    site.admin.delete(f"/nodes/{waiting}")
    interfaces = [{"mac": interface["mac"]} for interface in known["interfaces"]]
    site.admin.post("/nodes", {"name": waiting, "arch": "amd64", "interfaces": interfaces, "weak_boot_token": True})
    operation = site.admin.post(f"/nodes/{waiting}/operations", {"kind": "commission"})
    wait_step(site, operation["id"], "boot")
    script = boot_script(site, known)
    token = next(word.split("=", 1)[1] for word in script.split() if word.startswith("metalpool.token="))
    site.chassis(waiting, "set", "boot", "pxe")
    site.chassis(waiting, "set", "power", "1")
    wait_step(site, operation["id"], "inventory")
    text, status = check_in(site, known, script, token)
    assert status == 403 and "ssh-ed25519" not in text
    events = [event["kind"] for event in site.admin.get(f"/nodes/{waiting}/events")["items"]]
    assert "security.token-reuse" in events
    ended = site.admin.wait_operation(operation["id"], 600)
    assert ended["state"] == "succeeded", log_of(site, operation["id"])
    assert site.admin.get(f"/nodes/{waiting}")["bmc"]["username"] == "metalpool", "found in-band, and proved"


@pytest.mark.long
def test_an_unknown_machine_is_commissioned_by_itself_where_its_pool_accepts_all(site: Site, waiting: str) -> None:
    """Forgotten by the service, and switched on by somebody: nobody says yes to it, and it becomes ready."""
    site.chassis(waiting, "set", "power", "0")
    site.admin.delete(f"/nodes/{waiting}")
    site.admin.call("PUT", "/pools/default", {"auto_accept": True, "wait_in_ephemeral": False})
    try:
        site.chassis(waiting, "set", "boot", "pxe")
        site.chassis(waiting, "set", "power", "1")
        node = wait_enlisted(site, site.machines[waiting]["serial"])["name"]
        asked = site.admin.get(f"/operations?node={node}&kind=commission")["items"]
        ended = site.admin.wait_operation(asked[0]["id"], 900)
        assert ended["state"] == "succeeded", log_of(site, ended["id"])
    finally:
        site.admin.call("PUT", "/pools/default", {"auto_accept": False})
    assert site.admin.get(f"/nodes/{node}")["state"] == "ready"
    site.admin.call("PATCH", f"/nodes/{node}", {"name": waiting})


def bad_bmc(site: Site, name: str, bmc: dict[str, Any]) -> dict[str, Any]:
    """Register a machine by hand and commission it; the operation as it ended."""
    site.admin.post("/nodes", {"name": name, "arch": "amd64", "interfaces": [{"mac": f"52:54:00:00:be:{len(name):02x}"}], "bmc": bmc})
    operation = site.admin.post(f"/nodes/{name}/operations", {"kind": "commission"})
    return site.admin.wait_operation(operation["id"], 240)


def make_bmc(change: Callable[[dict[str, Any]], None], site: Site) -> dict[str, Any]:
    """The access to the second machine's BMC, with one thing wrong."""
    known = site.admin.get("/nodes/t2")["bmc"]
    bmc = {"kind": "ipmi", "address": known["address"], "port": 623, "username": known["username"], "password": "nonsense-wrong"}
    change(bmc)
    return bmc


@pytest.mark.parametrize(("name", "change", "words"), [
    ("wrong-password", lambda bmc: None, ["password"]),
    ("no-answer", lambda bmc: bmc.update(port=6299), ["answer"]),
])
def test_a_bmc_that_does_not_let_us_in(site: Site, commissioned: dict[str, dict[str, Any]], name: str,
                                       change: Callable[[dict[str, Any]], None], words: list[str]) -> None:
    started = time.monotonic()
    ended = bad_bmc(site, name, make_bmc(change, site))
    assert ended["state"] == "failed"
    assert time.monotonic() - started < 120 + SLACK_SECONDS
    for word in words:
        assert word in ended["reason"].lower(), ended["reason"]
    assert "nonsense-wrong" not in json.dumps(ended) + log_of(site, ended["id"])
    assert site.admin.get(f"/nodes/{name}")["state"] == "failed_commissioning"
    site.admin.delete(f"/nodes/{name}")
