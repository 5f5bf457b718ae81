"""A QEMU guest that boots the ephemeral OS, with one disk of each kind, reached over SSH by QEMU's user network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUILDS = Path("/var/cache/metalpool/ephemeral_os")
EPHEMERAL = max(BUILDS.glob("*/"), key=lambda build: build.stat().st_mtime, default=BUILDS / "none-built-yet")
OVMF = Path("/usr/share/OVMF")
MIB = 1 << 20
# serial number -> how QEMU attaches the drive of that name
DISKS = {
    "NVME0001": "nvme,drive=NVME0001,serial=NVME0001",
    "SATA0001": "ide-hd,drive=SATA0001,serial=SATA0001,bus=ide.0",
    "SSD0001": "scsi-hd,drive=SSD0001,serial=SSD0001,bus=scsi0.0,rotation_rate=1,wwn=0x5000c50015ea71ac",
    "HDD0001": "scsi-hd,drive=HDD0001,serial=HDD0001,bus=scsi0.0,rotation_rate=7200",
}
MACS = ("52:54:00:aa:bb:01", "52:54:00:aa:bb:02")


def what_is_missing() -> str:
    """Why the guest cannot be booted here; empty when it can."""
    places = [EPHEMERAL / "vmlinuz", EPHEMERAL / "initrd", OVMF / "OVMF_CODE_4M.fd", OVMF / "OVMF_VARS_4M.fd"]
    absent = [str(place) for place in places if not place.exists()]
    absent += [tool for tool in ("qemu-system-x86_64", "ssh", "ssh-keygen") if not shutil.which(tool)]
    return ", ".join(absent)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Guest:
    """Use as a context manager; it is there when the check-in came and SSH answers."""

    def __init__(self, folder: Path, disk_mib: int) -> None:
        self.folder, self.disk_mib = folder, disk_mib
        self.host_key = ""
        self.files: dict[str, bytes] = {}
        self.ssh_port = free_port()
        self.checked_in = threading.Event()
        self.disks = {serial: folder / f"{serial}.raw" for serial in DISKS}

    def __enter__(self) -> Guest:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "key")], check=True)
        for file in self.disks.values():
            with open(file, "wb") as handle:
                block = os.urandom(MIB)
                for unused in range(self.disk_mib):
                    handle.write(block)
        shutil.copy(OVMF / "OVMF_VARS_4M.fd", self.folder / "vars.fd")
        self.rack = self._start_rack()
        self.qemu = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self.qemu.terminate()
        try:
            self.qemu.wait(10)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait()
        self.rack.shutdown()
        self.rack.server_close()

    def url(self, name: str) -> str:
        """Address of one of C(files) as the guest sees it."""
        return f"http://10.0.2.2:{self.rack.server_port}/{name}"

    def ssh(self, *command: str) -> str:
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.ssh_port} {self.host_key}\n")
        done = subprocess.run(
            [
                "ssh",
                "-i",
                str(self.folder / "key"),
                "-p",
                str(self.ssh_port),
                "-o",
                f"UserKnownHostsFile={known}",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "BatchMode=yes",
                "root@127.0.0.1",
                *command,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout

    def inventory(self) -> Path:
        """An inventory with the guest in it, for ansible-playbook."""
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.ssh_port} {self.host_key}\n")
        place = self.folder / "inventory.json"
        place.write_text(
            json.dumps(
                {
                    "all": {
                        "hosts": {
                            "node": {
                                "ansible_host": "127.0.0.1",
                                "ansible_port": self.ssh_port,
                                "ansible_user": "root",
                                "ansible_python_interpreter": "/usr/bin/python3",
                                "ansible_ssh_private_key_file": str(self.folder / "key"),
                                "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}",
                            }
                        }
                    }
                }
            )
        )
        return place

    def _command(self) -> list[str]:
        url = f"http://10.0.2.2:{self.rack.server_port}/boot"
        words = [
            "qemu-system-x86_64",
            "-accel",
            "tcg,thread=multi",
            "-machine",
            "q35",
            "-cpu",
            "Nehalem,+rdrand",
            "-smp",
            "2",
            "-m",
            "1536",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            f"file:{self.folder / 'console.log'}",
            "-drive",
            f"if=pflash,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}",
            "-drive",
            f"if=pflash,format=raw,file={self.folder / 'vars.fd'}",
            "-smbios",
            "type=1,manufacturer=Acme,product=Box,serial=SYS123,uuid=11111111-2222-3333-4444-555555555555",
            "-device",
            "virtio-scsi-pci,id=scsi0",
            "-device",
            "virtio-rng-pci",
            "-device",
            "qemu-xhci",
            "-device",
            "usb-tablet",
            "-drive",
            f"id=stick,if=none,format=raw,readonly=on,file={EPHEMERAL / 'vmlinuz'}",
            "-device",
            "usb-storage,drive=stick,removable=on",
            "-netdev",
            f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22",
            "-device",
            f"virtio-net-pci,netdev=n0,mac={MACS[0]}",
            "-netdev",
            "hubport,id=n1,hubid=9",
            "-device",
            f"e1000e,netdev=n1,mac={MACS[1]}",
            "-kernel",
            str(EPHEMERAL / "vmlinuz"),
            "-initrd",
            str(EPHEMERAL / "initrd"),
            "-append",
            f"metalpool.url={url} metalpool.mode=operation metalpool.boot=b1 metalpool.token=t1 mitigations=off loglevel=6 "
            "console=tty0 console=ttyS0,115200",
        ]
        for serial, device in DISKS.items():
            words += ["-drive", f"id={serial},if=none,format=raw,cache=unsafe,discard=unmap,file={self.disks[serial]}", "-device", device]
        return words

    def _start_rack(self) -> ThreadingHTTPServer:
        guest = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(guest.files.get(self.path[1:]))

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                guest.host_key = said.get("host_key", "")
                self._send(json.dumps({"authorized_keys": [(guest.folder / "key.pub").read_text().strip()]}).encode())
                guest.checked_in.set()

            def _send(self, data: bytes | None) -> None:
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *unused: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def _wait(self, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        last: t.Any = "no check-in"
        while time.monotonic() < end:
            if self.qemu.poll() is not None:
                raise RuntimeError(f"qemu ended with {self.qemu.returncode}")
            if self.checked_in.wait(1):
                try:
                    self.ssh("true")
                    return
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    last = error
        raise TimeoutError(f"the guest did not come up within {seconds} s: {last}; see {self.folder / 'console.log'}")
