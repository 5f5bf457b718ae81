"""``make bench``: measures on a site of its own and writes docs/benchmarks.json. One guest at a time, unless two are what is measured."""

import argparse
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from testbed.bench import boots, controller, installer
from testbed.clean import clean
from testbed.client import Refused
from testbed.demo import enlist_and_commission
from testbed.progress import Progress
from testbed.site import ROOT, VENV, Site

IMAGE = "debian-12"
NODES: list[dict[str, Any]] = [
    {"name": f"b{number}", "memory": "2G", "cpus": 2, "firmware": "uefi", "disks": [{"size": "6G", "kind": "nvme"}]} for number in (1, 2)
]
PEER_TIMES = 4.2
"""The installer is stopped when it has taken so many times as long as Metalpool: the rest of its time shows nothing new."""
RESULTS = ROOT / "docs" / "benchmarks.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m testbed.bench", description=__doc__)
    parser.add_argument("--one", action="store_true", help="one node only, without the peer; the figures are only printed")
    one_only = parser.parse_args().one
    site, progress = Site("mpbench", 30, Path("/var/lib/metalpool-bench")), Progress()
    site.nodes = NODES
    clean(site, progress)
    results: dict[str, Any] = {}
    try:
        measure_one(site, progress, results)
        if not one_only:
            measure_two_and_peer(site, progress, results)
            RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    finally:
        print(json.dumps(results, indent=2))
        clean(site, progress)


def measure_one(site: Site, progress: Progress, results: dict[str, Any]) -> None:
    """The life of one node, and its floors; ``results`` is filled step by step."""
    results["service"] = service_start(site, progress)
    rack = f"{site.nodes_network}.1"
    for playbook in ("metalpool.core.lab", "metalpool.core.setup", "metalpool.core.os_image"):
        with progress.step(playbook):  # Debian's installer does not go on without a router and a name server
            site.playbook(playbook, site.variables | {"boot_server_dhcp_router": rack, "boot_server_dhcp_dns_servers": [rack]},
                          on_line=progress.task)
    site.register_images()
    results["accelerator"] = json.loads((site.lab / "lab.json").read_text())["accelerator"]
    results["service"] |= controller.idle_memory(site)
    results["commission"] = steps(enlist_and_commission(site, progress, "b1")[0])
    key = site.state / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with progress.step("one deploy"):
        one = results["deploy of one"] = deploy(site, key, ["b1"])
    with progress.step("floor: the same bytes by dd, the installed disk booted once"):
        results["floor of a deploy"] = floor(site, key, "b1")
    with progress.step("release"):
        results["release"], again = release(site, ["b1"])
    with progress.step("floor: the same kernel and bytes to a shell"):
        shells = [boots.boot_to_a_shell(site, "b1") for _again in range(2)]
        results["floor of the ephemeral boot"] = {"from iPXE to a shell": [round(seconds, 1) for seconds in shells]}
        boots_to_ssh = [boot["from iPXE to SSH"] for boot in (one["ephemeral boot"], again)]
        results["ephemeral boots"] = {"from iPXE to SSH": boots_to_ssh}
    results["ratios"] = {
        "acquire to SSH against its floor (at most 2.5)": round(one["acquire to SSH"] / results["floor of a deploy"]["sum"], 2),
        "iPXE to SSH against iPXE to a shell (at most 1.5)": round(min(boots_to_ssh) / min(shells), 2),
        "service start against importing its libraries (at most 2)": results["service"].pop("ratio"),
    }


def measure_two_and_peer(site: Site, progress: Progress, results: dict[str, Any]) -> None:
    """Two nodes at once, and Debian's installer; on the site and beside the figures of ``measure_one``."""
    key, one = site.state / "id_ed25519", results["deploy of one"]
    enlist_and_commission(site, progress, "b2")
    with progress.step("two deploys at once"):
        results["deploy of two"] = deploy(site, key, ["b1", "b2"])
        del results["deploy of two"]["ephemeral boot"]  # one console is watched, and two boots disturb each other
    with progress.step("two releases at once"):
        results["release, one of two"], _disturbed = release(site, ["b1", "b2"])
    installer.prepare()
    with installer.Proxy(site) as proxy, progress.step("peer: the installer's boot to its components"):
        peer = {"installer boots": round(installer.boot_installer(site, "b1", proxy), 1)}
    with progress.step("one more deploy, for the peer"):
        deploy(site, key, ["b1"])
    with installer.Proxy(site) as proxy, progress.step("peer: debootstrap, kernel, boot loader and SSH server"):
        peer["the installed system boots"] = results["floor of a deploy"]["boot"]
        enough = PEER_TIMES * one["acquire to SSH"] - sum(peer.values())
        peer["debootstrap and packages"] = round(installer.bootstrap(ssh(site, key, "b1"), proxy, enough), 1)
    results["peer: Debian's installer, at least"] = peer | {"sum": round(sum(peer.values()), 1)}
    results["ratios"]["Debian's installer against acquire to SSH (at least 4)"] = round(sum(peer.values()) / one["acquire to SSH"], 2)


def service_start(site: Site, progress: Progress) -> dict[str, Any]:
    """Seconds from start to first answer, against importing the service's libraries."""
    site.playbook("testbed/playbooks/service.yml", site.variables, on_line=progress.task)
    imports = []
    for _again in range(3):
        started = time.monotonic()
        code = "import apiflask, flask, sqlalchemy, alembic, pydantic, cryptography.fernet, dbos, granian, jinja2, limits"
        subprocess.run([str(VENV / "bin" / "python"), "-c", code], check=True)
        imports.append(time.monotonic() - started)
    starts = []
    for _again in range(3):
        site.kill("inventory")
        started = time.monotonic()
        environment = site.environment | {"METALPOOL_CONFIG": str(site.state / "service" / "service.toml")}
        process = subprocess.Popen([str(VENV / "bin" / "inventory-service"), "serve"], env=environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        threading.Thread(target=process.wait, daemon=True).start()  # or it stays a zombie, and whoever stops it waits in vain
        Path(f"/run/metalpool/{site.name}-inventory.pid").write_text(f"{process.pid}\n")
        while not answers(site):
            time.sleep(0.01)
        starts.append(time.monotonic() - started)
    best, floor = min(starts), min(imports)
    return {"imports": round(floor, 2), "start to first answer": round(best, 2), "ratio": round(best / floor, 2)}


def answers(site: Site) -> bool:
    """Whether the service answers an API request."""
    try:
        return bool(site.admin.get("/whoami"))
    except (Refused, urllib3.exceptions.HTTPError):  # refused, reset, in the middle of a handshake: not yet
        return False


def steps(operation: dict[str, Any]) -> dict[str, float]:
    """Seconds of an operation's steps, and all of them."""
    found = {step["title"]: round(step["seconds"], 1) for step in operation["steps"] if step["seconds"]}
    return found | {"sum": round(sum(found.values()), 1)}


def deploy(site: Site, key: Path, nodes: list[str]) -> dict[str, Any]:
    """Acquire and deploy; seconds until SSH lets the user in, steps, the boot's phases, and what it cost the controller."""
    before = controller.cpu(site)
    credentials = {"ssh_keys": [key.with_suffix(".pub").read_text().strip()]}
    with controller.Peak(site) as peak, boots.Console(site, nodes[0], boots.LANDMARKS) as console, ThreadPoolExecutor() as pool:
        started = time.monotonic()
        asked = [site.admin.post("/allocations", {"name": f"bench-{node}", "constraints": {"node": node}, "image": IMAGE,
                                                  "credentials": credentials}) for node in nodes]
        boot = pool.submit(watch_boot, site, nodes[0], console)
        ended = [site.admin.wait_operation(one["operation"], 1800) for one in asked]
        for node, operation in zip(nodes, ended, strict=True):
            assert operation["state"] == "succeeded", operation["reason"]
            subprocess.run([*ssh(site, key, node), "true"], check=True)
        seconds = time.monotonic() - started
    while len(site.pids("worker")) > 1:
        time.sleep(0.2)  # the worker counts its children's time once it has reaped them
    return {
        "acquire to SSH": round(seconds, 1),
        "controller CPU seconds per node": round((controller.cpu(site) - before) / len(nodes), 1),
        "controller peak MB per node": round(peak.megabytes / len(nodes), 1),
        "steps": steps(ended[0]),
        "ephemeral boot": boot.result(),
    }


def watch_boot(site: Site, node: str, console: boots.Console) -> dict[str, float]:
    """The phases of the next boot into the ephemeral OS."""
    site.wait_power(node, 300)
    return boots.ephemeral_boot(site, node, time.monotonic(), console)


def ssh(site: Site, key: Path, node: str) -> list[str]:
    """The command that logs in as the user would, with the reported host key."""
    allocation = site.admin.get(f"/allocations/bench-{node}")
    known = site.state / f"known_hosts.{node}"
    known.write_text("".join(f"{allocation['address']} {line}\n" for line in allocation["host_keys"]))
    return ["ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes",
            f"{allocation['ssh_user']}@{allocation['address']}"]


def floor(site: Site, key: Path, node: str) -> dict[str, float]:
    """What nobody can go below: the same bytes written by dd in the same guest, and its installed disk booted once."""
    mebibytes = site.admin.get(f"/images/{IMAGE}")["disk_bytes"] >> 20
    login = ssh(site, key, node)
    dd = f"sudo dd if=/dev/zero of=/floor bs=1M count={mebibytes} oflag=direct status=none"
    started = time.monotonic()
    subprocess.run([*login, f"{dd} && sudo sync && sudo rm /floor"], check=True)
    written = time.monotonic() - started
    site.chassis(node, "set", "power", "0")
    site.chassis(node, "set", "boot", "default")
    started = time.monotonic()
    site.chassis(node, "set", "power", "1")
    while subprocess.run([*login[:-1], "-o", "ConnectTimeout=1", login[-1], "true"], check=False, capture_output=True).returncode:
        time.sleep(0.2)
    booted = time.monotonic() - started
    return {"dd": round(written, 1), "boot": round(booted, 1), "sum": round(written + booted, 1)}


def release(site: Site, nodes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Give the nodes back; the first one's steps, and the phases of its boot."""
    with boots.Console(site, nodes[0], boots.LANDMARKS) as console:
        asked = [site.admin.delete(f"/allocations/bench-{node}")["id"] for node in nodes]
        boot = boots.ephemeral_boot(site, nodes[0], time.monotonic(), console)
        ended = [site.admin.wait_operation(identity, 1800) for identity in asked]
    assert all(one["state"] == "succeeded" for one in ended), [one["reason"] for one in ended]
    return steps(ended[0]), boot


if __name__ == "__main__":
    main()
