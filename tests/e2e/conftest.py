"""One site with two real machines for all end-to-end tests: brought up once, taken away at the end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testbed.clean import clean
from testbed.demo import wait_enlisted
from testbed.progress import Progress
from testbed.site import Site

# The tests' limits are short where a fault must run into them, and wide where a slow machine must not.
SETTINGS = {"step_limits": {"commission.boot": 400, "deploy.boot": 240, "deploy.first_boot": 900, "release.boot": 200}}
NODES: list[dict[str, Any]] = [
    {"name": "t1", "memory": "1G", "cpus": 1, "firmware": "bios", "disks": [{"size": "6G", "kind": "ssd"}],
     "bmc": {"username": "admin", "password": "factory-1"}},
    {"name": "t2", "memory": "2G", "cpus": 2, "firmware": "uefi", "disks": [{"size": "6G", "kind": "nvme"}],
     "bmc": {"username": "admin", "password": "factory-2"}},
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here boots, or stands on machines that did."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.boot)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Service, worker, boot server and a lab whose machines are off and unknown to the service."""
    site = Site("mptest", 20, Path("/var/lib/metalpool-test"))
    site.settings, site.nodes = SETTINGS, NODES
    keep = bool(os.environ.get("METALPOOL_KEEP_SITE"))  # for work on the tests: the site stays up between runs
    if not keep:
        clean(site, Progress())
    site.playbook("metalpool.core.lab", site.variables)
    site.playbook("metalpool.core.setup", site.variables)
    site.playbook("metalpool.core.os_image", site.variables | {"os_image_suite": "bookworm"})
    site.register_images()
    site.admin.call("POST", "/inventory-import?dry_run=false", networks(site))
    # The bad days fail on the same two machines again and again, which a real pool would set aside.
    site.admin.call("PUT", "/pools/default", {"set_aside": []})
    yield site
    if not keep:
        clean(site, Progress())


def networks(site: Site) -> dict[str, Any]:
    """The network of the machines as an inventory: DHCP hands out .100 to .199, the rack has .1, nodes are assigned the others."""
    near = site.nodes_network
    return {
        "version": 1,
        "fabrics": [{"name": "lab"}],
        "vlans": [{"name": "lab", "fabric": "lab", "vid": 0}],
        "subnets": [{"name": "lab4", "vlan": "lab", "cidr": f"{near}.0/24", "assign": True,
                     "ranges": [{"kind": "boot", "first": f"{near}.100", "last": f"{near}.199"}]}],
        "reserved_addresses": [{"subnet": "lab4", "ip": f"{near}.1", "comment": "the rack"}],
    }


@pytest.fixture(scope="session")
def enlisted(site: Site) -> dict[str, dict[str, Any]]:
    """Both machines, as they were when they had just enlisted themselves."""
    serials = {name: machine["serial"] for name, machine in site.machines.items()}
    known = {node["name"]: node for node in site.admin.get("/nodes")["items"]}
    if set(serials) <= set(known):
        return known
    for name in serials:
        site.chassis(name, "set", "power", "1")
    found = {}
    for name, serial in serials.items():
        node = wait_enlisted(site, serial)
        site.admin.call("PATCH", f"/nodes/{node['name']}", {"name": name})
        found[name] = site.admin.get(f"/nodes/{name}")
    return found


@pytest.fixture(scope="session")
def commissioned(site: Site, enlisted: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The operations that commissioned both machines, which are ready now."""

    def commission(name: str) -> dict[str, Any]:
        if enlisted[name]["state"] not in ("new", "failed_commissioning"):
            return dict(site.admin.get(f"/operations?node={name}&kind=commission")["items"][0])
        operation = site.admin.post(f"/nodes/{name}/operations", {"kind": "commission"})
        return site.admin.wait_operation(operation["id"], 1200)

    with ThreadPoolExecutor() as pool:
        operations = dict(zip(enlisted, pool.map(commission, enlisted), strict=True))
    for name, operation in operations.items():
        assert operation["state"] == "succeeded", f"{name}: {operation['reason']}\n{log_of(site, operation['id'])}"
    return operations


@pytest.fixture(scope="session")
def user_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private SSH key of the user who acquires."""
    return make_key(tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="session")
def colleague_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private SSH key of an extra user."""
    return make_key(tmp_path_factory.mktemp("colleague"))


def make_key(directory: Path) -> Path:
    """A new private SSH key; its public half lies beside it."""
    key = directory / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def log_of(site: Site, operation: str) -> str:
    """What an operation has logged, for the message of a failed test."""
    items = site.admin.get(f"/operations/{operation}/log?limit=500")["items"]
    return "\n".join(f"{item['at']} {item['step']}: {item['message']}" for item in items)


def disk_files(site: Site, name: str) -> list[Path]:
    """The files behind a machine's disks."""
    return sorted((site.lab / "nodes" / name).glob("disk*.raw"))
