"""The peer: OpenStack Ironic's allocation API, alone in one process, with hardware that answers at once.

It runs in a virtual environment of its own and gets what helps it: nodes whose power state is known from the start, no
synchronisation of power states beside the load, no authentication, no TLS.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import urllib3

from tests.benchmarks.client import Load
from tests.service.world import until

VERSION = "39.0.0"
_HEADERS = {"X-OpenStack-Ironic-API-Version": "1.82"}
_POLL_SECONDS = 0.02
_GIVE_UP_SECONDS = 30
"""On a locked SQLite, some allocations stay in ``allocating`` for good."""
_CLASS = "baremetal"

_SETTINGS = """\
[DEFAULT]
auth_strategy = noauth
rpc_transport = none
host = bench
my_ip = 127.0.0.1
state_path = {state}
log_file = {state}/log
enabled_hardware_types = fake-hardware
enabled_bios_interfaces = no-bios
enabled_boot_interfaces = fake
enabled_console_interfaces = no-console
enabled_deploy_interfaces = fake
enabled_firmware_interfaces = no-firmware
enabled_inspect_interfaces = no-inspect
enabled_management_interfaces = fake
enabled_network_interfaces = noop
enabled_power_interfaces = fake
enabled_raid_interfaces = no-raid
enabled_rescue_interfaces = no-rescue
enabled_storage_interfaces = noop
enabled_vendor_interfaces = no-vendor
[api]
host_ip = 127.0.0.1
port = {port}
[conductor]
automated_clean = false
sync_power_state_interval = 0
[database]
connection = {database}
[oslo_concurrency]
lock_path = {state}
"""

_ADD_NODES = """\
import sys
from ironic.common import context, service
service.prepare_service("ironic", ["ironic", "--config-file", sys.argv[1]])
from ironic import objects
objects.register_all()
for number in range(int(sys.argv[2])):
    objects.Node(
        context.get_admin_context(), name=f"n{number}", driver="fake-hardware", resource_class=sys.argv[3],
        provision_state="available", power_state="power off", network_interface="noop", deploy_interface="fake",
        power_interface="fake", management_interface="fake", boot_interface="fake",
        properties={"cpus": 8, "memory_mb": 65536, "local_gb": 900, "cpu_arch": "x86_64"},
    ).create()
"""


def prepare(cache: Path) -> Path:
    """The directory of Ironic's programs, installed once."""
    programs = cache / f"ironic-{VERSION}" / "bin"
    if not (programs / "ironic").exists():
        subprocess.run(["python3", "-m", "venv", str(programs.parent)], check=True)
        packages = [f"ironic=={VERSION}", "cheroot", "pymysql"]
        subprocess.run([str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return programs


class Ironic:
    """One Ironic with its nodes, on a port of its own."""

    def __init__(self, programs: Path, nodes: int, database: str | None = None) -> None:
        """Make its tables and nodes, and start it.

        :param database: URL of an empty database; SQLite in the state directory when none is given
        """
        self._state = Path(tempfile.mkdtemp(prefix="metalpool-ironic-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        settings = self._state / "ironic.conf"
        database = database or f"sqlite:///{self._state / 'database.sqlite'}"
        settings.write_text(_SETTINGS.format(state=self._state, port=self._port, database=database))
        for command in (
            [programs / "ironic-dbsync", "--config-file", settings, "create_schema"],
            [programs / "python", "-c", _ADD_NODES, settings, str(nodes), _CLASS],
        ):
            subprocess.run(command, check=True, capture_output=True)
        self._http = urllib3.PoolManager(maxsize=32, retries=False)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        start = ["setpriv", "--pdeathsig", "TERM", programs / "ironic", "--config-file", settings]
        self._process = subprocess.Popen(start, start_new_session=True, **quiet)
        until(self._answers, 120)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._state / "log").read_text()[-2000:]
        try:
            return self._ask("GET", "").get("allocations") == []
        except urllib3.exceptions.HTTPError:
            return False

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self._port}/v1/allocations{path}"
        answer = self._http.request(method, url, json=body, headers=_HEADERS)
        return answer.json() if answer.status < 300 else {"state": "error", "answer": answer.data}

    def load(self, clients: int, seconds: float) -> tuple[Load, int]:
        """Allocate for so many seconds; an allocation is done when its state is ``active``. Also how many failed, or never were."""
        load, failed, started = Load(), [0], time.perf_counter()

        def one_client() -> None:
            while time.perf_counter() < started + seconds:
                asked = time.perf_counter()
                allocation = self._ask("POST", "", {"resource_class": _CLASS})
                while allocation["state"] == "allocating" and time.perf_counter() < asked + _GIVE_UP_SECONDS:
                    time.sleep(_POLL_SECONDS)
                    allocation = self._ask("GET", f"/{allocation['uuid']}")
                if allocation["state"] == "active":
                    load.latencies.append(time.perf_counter() - asked)
                else:
                    failed[0] += 1

        threads = [threading.Thread(target=one_client) for _one in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        load.seconds = time.perf_counter() - started
        return load, failed[0]

    def remove(self) -> None:
        """Stop it, and leave nothing."""
        self._process.terminate()
        self._process.wait(60)
        shutil.rmtree(self._state)
