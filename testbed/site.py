"""One site: names, places and addresses of a service, a rack and a lab that get in no other site's way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from testbed.client import Client

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(sys.prefix)
IMAGES = ("bookworm", "trixie")

Variables = dict[str, Any]
OnLine = Callable[[str], None]


class PlaybookFailed(Exception):
    """A playbook ended with an error; the text is what it printed."""


class Site:
    """Everything that belongs together, from one short name.

    :param name: at most 8 characters; goes into process names, the namespace and the interfaces.
    :param number: 0 to 99; decides the addresses (172.30.(2n+7).0/24 for nodes, the next for BMCs) and the port.
    :param state: root of the state directories.
    """

    def __init__(self, name: str = "metalpool", number: int = 0, state: Path = Path("/var/lib/metalpool")) -> None:
        self.name = name
        self.number = number
        self.state = state
        self.nodes_network = f"172.30.{2 * number + 7}"
        self.bmc_network = f"172.30.{2 * number + 8}"
        self.url = f"https://127.0.0.1:{8443 + number}"
        self.boot_url = f"http://{self.nodes_network}.1"
        self.lab = state / "lab"
        self.namespace = f"{name}-lab"
        self.ca_file = state / "service" / "tls" / "ca.crt"
        self.admin_token_file = state / "service" / "admin.token"
        self.site_directory = state / "site"
        self.settings: Variables = {}
        self.nodes: list[Variables] | None = None

    @property
    def variables(self) -> Variables:
        """The roles' variables for this site."""
        chosen: Variables = {
            "ephemeral_os_www_dir": str(self.state / "www"),
            "os_image_www_dir": str(self.state / "www"),
            "virtual_lab_directory": str(self.lab),
            "virtual_lab_namespace": self.namespace,
            "virtual_lab_bridge": "lab0",
            "virtual_lab_rack_interface": f"mp{self.number}lab",
            "virtual_lab_network": f"{self.nodes_network}.0/24",
            "virtual_lab_ipv6_network": f"fd6d:7000:{2 * self.number + 7:x}::/64",
            "virtual_lab_bmc_network": f"{self.bmc_network}.0/24",
            "boot_server_interface": f"mp{self.number}lab",
            "boot_server_address": f"{self.nodes_network}.1",
            "boot_server_netmask": "255.255.255.0",
            "boot_server_directory": str(self.state / "boot_server"),
            "boot_server_www_directory": str(self.state / "www"),
            "boot_server_name": self.name,
            "boot_server_service_url": self.url,
            "boot_server_ca_file": str(self.ca_file),
            "inventory_service_package": "",
            "inventory_service_venv": str(VENV),
            "inventory_service_directory": str(self.state / "service"),
            "inventory_service_port": 8443 + self.number,
            "inventory_service_name": f"{self.name}-inventory",
            "inventory_service_settings": self.settings,
            "rack_worker_venv": str(VENV),
            "rack_worker_directory": str(self.state / "rack"),
            "rack_worker_service_url": self.url,
            "rack_worker_token_file": str(self.state / "service" / "worker.token"),
            "rack_worker_ca_file": str(self.ca_file),
            "rack_worker_boot_url": self.boot_url,
            "rack_worker_collections_path": str(ROOT / ".ansible" / "collections"),
            "rack_worker_site_directory": str(self.site_directory),
            "rack_worker_name": f"{self.name}-worker",
        }
        if self.nodes is not None:
            chosen["virtual_lab_nodes"] = self.nodes
        return chosen

    @property
    def environment(self) -> dict[str, str]:
        """What Ansible and the collection's plugins need to find the collection and the service, as administrator."""
        return os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "METALPOOL_URL": self.url,
            "METALPOOL_TOKEN_FILE": str(self.admin_token_file),
            "METALPOOL_CA_FILE": str(self.ca_file),
            "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
        }

    @cached_property
    def admin(self) -> Client:
        """The API, as administrator."""
        return Client(self.url, self.admin_token_file.read_text().strip(), self.ca_file)

    def playbook(self, name: str, variables: Variables | None = None, *, arguments: Iterable[str] = (),
                 on_line: OnLine | None = None, environment: dict[str, str] | None = None) -> str:
        """Run a playbook and return what it printed.

        :param name: a file, or a name such as ``metalpool.core.acquire``.
        :param variables: extra variables, given through a file so that none stands in the process list.
        :param on_line: called with each line as it comes.
        :raises PlaybookFailed: it did not end well.
        """
        command = [str(VENV / "bin" / "ansible-playbook"), name, *arguments]
        if variables:
            self.state.mkdir(parents=True, exist_ok=True)
            file = self.state / f"variables.{os.getpid()}.{id(variables)}.json"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
                json.dump(variables, handle)
            command += ["-e", f"@{file}"]
        lines = []
        try:
            with subprocess.Popen(command, cwd=ROOT, env=environment or self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, bufsize=1) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    if on_line:
                        on_line(line.rstrip())
        finally:
            if variables:
                file.unlink(missing_ok=True)
        if process.returncode:
            raise PlaybookFailed(f"{name} ended with {process.returncode}:\n" + "".join(lines))
        return "".join(lines)

    @property
    def machines(self) -> dict[str, Variables]:
        """The lab's machines by name, as their builder describes them."""
        nodes: dict[str, Variables] = json.loads((self.lab / "lab.json").read_text())["nodes"]
        return nodes

    def chassis(self, node: str, *words: str) -> str:
        """A node's front panel: ``set power 1`` presses the power button, ``get power`` looks at the light."""
        command = ["ip", "netns", "exec", self.namespace, str(self.lab / "nodes" / node / "chassis"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def wait_power(self, node: str, seconds: float) -> None:
        """Until the node's power is on, noticed within hundredths of a second.

        :raises TimeoutError: it is still off after ``seconds``.
        """
        running = self.lab / "nodes" / node / "qemu.pid"
        deadline = time.monotonic() + seconds
        while not running.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{node} is still off after {seconds} s")
            time.sleep(0.02)

    def pids(self, program: str) -> list[int]:
        """The process of ``inventory`` or ``worker`` and its children, children first."""
        pid = int(Path(f"/run/metalpool/{self.name}-{program}.pid").read_text())
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [*map(int, children), pid]

    def kill(self, program: str) -> None:
        """``kill -9`` on a program and its children, as the kernel's OOM killer or a power cut would."""
        for pid in self.pids(program):
            os.kill(pid, signal.SIGKILL)

    def kill_runs(self) -> None:
        """``kill -9`` on every process that carries an operation out, with all that it has started."""
        marker = f"{self.state}/rack/runs/".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if marker in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    def start(self) -> None:
        """Start what is not running, as an init system would."""
        self.playbook("testbed/playbooks/service.yml", self.variables)

    def console(self, node: str) -> str:
        """What the node has written to its serial console so far."""
        return (self.lab / "nodes" / node / "console.log").read_text(errors="replace")

    def register_images(self) -> None:
        """Tell the service of the images that were built."""
        for file in sorted((self.state / "www" / "images").glob("*.json")):
            image = json.loads(file.read_text())
            self.playbook(str(ROOT / "testbed" / "playbooks" / "image.yml"), {"image": image})
