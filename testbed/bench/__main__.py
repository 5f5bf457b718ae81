"""``make bench``: measures on the site of its own and writes docs/benchmarks.md. One guest at a time, unless two are what is measured.

Usage: python -m testbed.bench [--installer]
"""

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import urllib3

from testbed.bench.installer import install
from testbed.clean import clean
from testbed.client import Refused
from testbed.demo import enlist_and_commission
from testbed.progress import Progress
from testbed.site import ROOT, VENV, Site

IMAGE = "debian-12"
NODES: list[dict[str, Any]] = [
    {"name": f"b{number}", "memory": "2G", "cpus": 2, "firmware": "uefi", "disks": [{"size": "6G", "kind": "nvme"}]} for number in (1, 2)
]
RESULTS = ROOT / "docs" / "benchmarks.json"


def main() -> None:
    site, progress = Site("mpbench", 30, Path("/var/lib/metalpool-bench")), Progress()
    site.nodes = NODES
    clean(site, progress)
    try:
        results = measure(site, progress)
    finally:
        clean(site, progress)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def measure(site: Site, progress: Progress) -> dict[str, Any]:
    """Everything, in one run on one site."""
    results: dict[str, Any] = {"accelerator": "", "service": service_start(site, progress)}
    for playbook in ("metalpool.core.lab", "metalpool.core.setup", "metalpool.core.os_image"):
        with progress.step(playbook):
            site.playbook(playbook, site.variables, on_line=progress.task)
    site.register_images()
    results["accelerator"] = json.loads((site.lab / "lab.json").read_text())["accelerator"]
    results["service"] |= memory(site)
    results["commission"] = steps(enlist_and_commission(site, progress, "b1")[0])
    results["ephemeral boot"] = console_phases(site, "b1")
    enlist_and_commission(site, progress, "b2")
    key = site.state / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with progress.step("one deploy"):
        results["deploy of one"] = deploy(site, key, ["b1"])
    with progress.step("floor: the same bytes by dd, the installed disk booted once"):
        results["floor"] = floor(site, key, "b1")
    with progress.step("release"):
        results["release"] = release(site, ["b1"])
    with progress.step("two deploys at once"):
        results["deploy of two"] = deploy(site, key, ["b1", "b2"])
    with progress.step("two releases at once"):
        release(site, ["b1", "b2"])
    one = results["deploy of one"]["acquire to SSH"]
    results["acquire to SSH against the floor"] = round(one / results["floor"]["sum"], 2)
    if "--installer" in sys.argv:
        with progress.step("peer: Debian's installer"):
            seconds = install(site, "b1", key)
        results["installer"] = {"seconds": round(seconds, 1), "times slower": round(seconds / one, 2)}
    return results


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


def memory(site: Site) -> dict[str, Any]:
    """Idle memory of service and worker, proportional set size, in MB."""
    found = {}
    for program in ("inventory", "worker"):
        kib = 0
        for pid in site.pids(program):
            kib += int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])  # type: ignore[index]
        found[f"{program} MB"] = round(kib / 1024, 1)
    return found | {"together MB": round(sum(found.values()), 1)}


def steps(operation: dict[str, Any]) -> dict[str, float]:
    """Seconds of an operation's steps, and all of them."""
    found = {step["title"]: round(step["seconds"], 1) for step in operation["steps"] if step["seconds"]}
    return found | {"sum": round(sum(found.values()), 1)}


def console_phases(site: Site, node: str) -> dict[str, float]:
    """What the ephemeral OS printed of its last boot: seconds since the kernel's start."""
    text = site.console(node)
    last = text[text.rindex("Linux version"):] if "Linux version" in text else text
    return {name: float(seconds) for name, seconds in re.findall(r"metalpool: phase (\w+) ([\d.]+)", last)}


def worker_cpu(site: Site) -> tuple[float, float]:
    """CPU seconds of the worker's ended children, and the most memory (MB) of any of them."""
    pid = site.pids("worker")[-1]
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[13]) + int(fields[14])
    return ticks / 100, resource.getpagesize() / 1e6


def deploy(site: Site, key: Path, nodes: list[str]) -> dict[str, Any]:
    """Acquire and deploy; seconds until SSH lets the user in, steps, and what it cost the controller."""
    cpu, _unused = worker_cpu(site)
    peak = 0.0
    started = time.monotonic()
    credentials = {"ssh_keys": [key.with_suffix(".pub").read_text().strip()]}
    asked = [site.admin.post("/allocations", {"name": f"bench-{node}", "constraints": {"node": node}, "image": IMAGE,
                                              "credentials": credentials}) for node in nodes]
    pending = {one["operation"] for one in asked}
    ended = []
    while pending:
        peak = max(peak, run_memory(site))
        for identity in list(pending):
            operation = site.admin.get(f"/operations/{identity}")
            if operation["state"] not in ("queued", "running"):
                assert operation["state"] == "succeeded", operation["reason"]
                pending.remove(identity)
                ended.append(operation)
        time.sleep(0.5)
    for node in nodes:
        login(site, key, site.admin.get(f"/allocations/bench-{node}"))
    seconds = time.monotonic() - started
    site.admin.get("/whoami")
    deadline = time.monotonic() + 30
    while (spent := worker_cpu(site)[0] - cpu) == 0 and time.monotonic() < deadline:
        time.sleep(0.5)  # the worker counts its children once it has reaped them
    return {"acquire to SSH": round(seconds, 1), "controller CPU seconds per node": round(spent / len(nodes), 1),
            "controller peak MB per node": round(peak / len(nodes), 1), "steps": steps(ended[0])}


def run_memory(site: Site) -> float:
    """Memory of all processes that carry operations out, right now, proportional set size in MB."""
    marker = f"{site.state}/rack/runs/".encode()
    kib = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "cmdline").read_bytes():
                found = re.search(r"^Pss: +(\d+)", (process / "smaps_rollup").read_text(), re.M)
                kib += int(found[1]) if found else 0
        except OSError:
            continue
    return kib / 1024


def login(site: Site, key: Path, allocation: dict[str, Any]) -> None:
    """Log in as the user would, with the reported host key."""
    known = site.state / "known_hosts"
    known.write_text("".join(f"{allocation['address']} {line}\n" for line in allocation["host_keys"]))
    subprocess.run(["ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes",
                    f"{allocation['ssh_user']}@{allocation['address']}", "true"], check=True)


def floor(site: Site, key: Path, node: str) -> dict[str, float]:
    """What nobody can go below: the same bytes written by dd in the same guest, and its installed disk booted once."""
    allocation = site.admin.get(f"/allocations/bench-{node}")
    image = site.admin.get(f"/images/{IMAGE}")
    ssh = ["ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={site.state}/known_hosts",
           f"{allocation['ssh_user']}@{allocation['address']}"]
    mebibytes = image["disk_bytes"] >> 20
    started = time.monotonic()
    dd = f"sudo dd if=/dev/zero of=/floor bs=1M count={mebibytes} oflag=direct status=none"
    subprocess.run([*ssh, f"{dd} && sudo sync && sudo rm /floor"], check=True)
    written = time.monotonic() - started
    site.chassis(node, "set", "power", "0")
    site.chassis(node, "set", "boot", "default")
    started = time.monotonic()
    site.chassis(node, "set", "power", "1")
    while subprocess.run([*ssh, "-o", "ConnectTimeout=1", "true"], check=False, capture_output=True).returncode:
        time.sleep(0.2)
    booted = time.monotonic() - started
    return {"dd": round(written, 1), "boot": round(booted, 1), "sum": round(written + booted, 1)}


def release(site: Site, nodes: list[str]) -> dict[str, float]:
    """Give the nodes back; the first one's steps."""
    asked = [site.admin.delete(f"/allocations/bench-{node}")["id"] for node in nodes]
    ended = [site.admin.wait_operation(identity, 1800) for identity in asked]
    assert all(one["state"] == "succeeded" for one in ended), [one["reason"] for one in ended]
    return steps(ended[0])


if __name__ == "__main__":
    main()
