"""A pool of machines that a test plays: the real service behind HTTPS, and reports as a worker makes them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.service.real_service import RealService
from tests.service.world import GIB, Work, until

A100 = {"class": "0302", "vendor_id": "10de", "device_id": "20b5", "vendor": "NVIDIA", "device": "GA100 [A100 PCIe 80GB]"}
LARGE: dict[str, Any] = {
    "cpus": 32,
    "memory": 256 * GIB,
    "disks": [("N1", "nvme", 1000), *((f"H{number}", "hdd", 4000) for number in range(4))],
    "parts": {
        "cpu": {"arch": "amd64", "threads": 32, "mhz_max": 3500, "model": "AMD EPYC 9354"},
        "pci": [A100, A100],
        "numa": [{"node": number, "cpus": [number], "memory_bytes": 128 * GIB} for number in range(2)],
        "tpm": {"present": True, "version": "2.0"},
    },
}
"""A server with some of everything; its interface on the VLAN ``storage`` has 25 Gbit/s."""


class PlayedPool:
    """What ``Work`` and a test ask of the service, as its administrator unless another token is given."""

    def __init__(self, service: RealService) -> None:
        self.service = service
        self.settings = SimpleNamespace(default_rack="local")
        self.engine = True
        service.token("worker", "worker", "--rack", "local")
        self.worker = self.token("worker")
        self.admin = (service.directory / "state" / "admin.token").read_text(encoding="utf-8").strip()
        self._macs = 0
        self._disks: dict[str, list[str]] = {}

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, expect: int | None = None
    ) -> Any:
        """The answer's document, when its status is what is expected (any success by default)."""
        url = path if path.startswith("/boot") else f"/api/v1{path}"
        status, document = self.service.call(method, url, body, token or self.admin)
        assert status == expect if expect else status < 300, f"{method} {path}: {status} {document}"
        return document

    def token(self, user: str) -> str:
        """The token of a user that the service has one for."""
        return (self.service.directory / f"{user}.token").read_text(encoding="utf-8").strip()

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def node(
        self, name: str, zone: str = "a", tags: tuple[str, ...] = (), speed_mbps: int = 1000, **hardware: Any
    ) -> None:
        """Add a node and commission it; see ``tests.service.world.facts`` for the hardware."""
        self._macs += 1
        mac = f"52:54:00:00:01:{self._macs:02x}"
        self.ask("POST", "/nodes", {
            "name": name, "zone": zone, "tags": list(tags), "interfaces": [{"mac": mac}],
            "bmc": {"address": f"192.0.2.{self._macs}", "username": "admin", "password": "factory"},
        })  # fmt: skip
        self.ask("POST", f"/nodes/{name}/operations", {"kind": "commission"})
        nic = {"mac": mac, "name": "eth0", "speed_mbps": speed_mbps}
        hardware = hardware | {"parts": {"interfaces": [nic]} | hardware.get("parts", {})}
        self._disks[name] = [serial for serial, _kind, _size in hardware.get("disks", [("D1", "ssd", 6)])]
        Work(self, name).commission(**hardware)  # type: ignore[arg-type]
        until(lambda: self.get(f"/nodes/{name}")["state"] == "ready")

    def deploy(self, *names: str, before: Callable[[Work], None] = lambda _work: None) -> None:
        """Carry out the deploys that were asked for.

        :param before: is called with each before its last step
        """
        for name in names:
            work = Work(self, name)  # type: ignore[arg-type]
            for step in work.claim["steps"][:-2]:
                work.report("steps", step=step["name"])
                work.report("log", lines=[f"playing {step['name']}"])
            before(work)
            work.deploy()

    def erase(self, *names: str) -> None:
        """Carry out the releases that were asked for."""
        for name in names:
            Work(self, name).release(*self._disks[name])  # type: ignore[arg-type]
            until(lambda name=name: self.get(f"/nodes/{name}")["state"] != "releasing")

    def network(self, node: str) -> None:
        """Put a node's interface on a VLAN with a subnet that assigns addresses."""
        self.ask("PUT", "/spaces/inner", {})
        self.ask("PUT", "/fabrics/lab", {})
        self.ask("PUT", "/vlans/storage", {"fabric": "lab", "vid": 120, "space": "inner"})
        self.ask("PUT", "/subnets/servers4", {"vlan": "storage", "cidr": "10.0.7.0/24", "assign": True})
        mac = self.get(f"/nodes/{node}")["interfaces"][0]["mac"]
        self.ask("PATCH", f"/nodes/{node}", {"interfaces": [{"mac": mac, "vlan": "storage"}]})

    def image(self, name: str) -> None:
        """Register an image that every node can boot."""
        system, version = name.split("-")
        self.ask("POST", "/images", {
            "name": name, "os": system, "version": version, "arch": "amd64", "url": f"/images/{name}.raw.zst", "sha256": "ab" * 32,
            "size_bytes": 100, "disk_bytes": GIB, "default_user": system, "boot": ["bios", "uefi"],
        })  # fmt: skip

    def states(self) -> dict[str, str]:
        """The state of each node."""
        return {one["name"]: one["state"] for one in self.get("/nodes")["items"]}
