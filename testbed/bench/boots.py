"""Boots, timed from outside: by what the machine writes to its serial console, and by its SSH port."""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from testbed.site import Site

LANDMARKS = {
    "firmware": r">>Start PXE|Booting from Hard|BdsDxe: starting",
    "DHCP and TFTP": r"iPXE \d+\.\d+",
    "kernel and initrd over HTTP": r"Linux version",
    "kernel to first program": r"metalpool: phase kernel",
    "userspace, check-in, sshd": r"metalpool: ready",
}
"""What the console shows at the end of a phase, in the order of the phases. A phase's name says what took place before it."""

SHELL_SCRIPT = """\
#!ipxe
kernel http://{rack}/ephemeral/current/vmlinuz initrd=initrd initrd=shell rdinit=/shell mitigations=off loglevel=6 {consoles}
initrd --name initrd http://{rack}/ephemeral/current/initrd
initrd --name shell http://{rack}/floor/shell.cpio
boot
"""

SHELL = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
exec </dev/console >/dev/console 2>&1
echo floor: a shell
exec /bin/busybox sh
"""


class Console:
    """Follows a machine's serial console and notes when each landmark first appears."""

    def __init__(self, site: Site, node: str, landmarks: dict[str, str]) -> None:
        self._file = site.lab / "nodes" / node / "console.log"
        self._start = self._file.stat().st_size
        self._wanted = dict(landmarks)
        self._ended = threading.Event()
        self.seen: dict[str, float] = {}
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Console":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        text = ""
        with self._file.open(errors="replace") as file:
            file.seek(self._start)
            while self._wanted and not self._ended.wait(0.05):
                text += file.read()
                while self._wanted:
                    name, pattern = next(iter(self._wanted.items()))
                    if not (found := re.search(pattern, text)):
                        break
                    self.seen[name] = time.monotonic()
                    text = text[found.end():]
                    del self._wanted[name]

    def wait(self, name: str, seconds: float) -> float:
        """The moment of a landmark.

        :raises TimeoutError: it has not appeared.
        """
        deadline = time.monotonic() + seconds
        while name not in self.seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._file} does not show {name!r} within {seconds} s")
            time.sleep(0.02)
        return self.seen[name]


def ssh_answers(address: str) -> bool:
    """Whether an SSH server sends its banner."""
    with suppress(OSError), socket.create_connection((address, 22), timeout=10) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def lease(site: Site, node: str) -> str:
    """The address that the boot server gave to a node's first interface last; each of its systems may have one of its own."""
    mac = site.admin.get(f"/nodes/{node}")["interfaces"][0]["mac"]
    leases = [line.split() for line in (site.state / "boot_server" / "dnsmasq.leases").read_text().splitlines()]
    ours = [words for words in leases if len(words) > 2 and words[1] == mac]
    if not ours:
        raise LookupError(f"{node} has no lease")
    return max(ours, key=lambda words: int(words[0]))[2]


def ephemeral_boot(site: Site, node: str, power_on: float, console: Console, seconds: float = 300) -> dict[str, float]:
    """Seconds of the phases of a boot into the ephemeral OS that is under way, until the worker can log in.

    The SSH server answers before the check-in has let the worker in: both must have happened.
    """
    last = [*LANDMARKS][-1]
    console.wait(last, seconds)
    address = lease(site, node)
    if not ssh_answers(address):
        raise TimeoutError(f"{address} says that it is ready, and its SSH server does not answer")
    console.seen[last] = max(console.seen[last], time.monotonic())
    found, before = {}, power_on
    for name, moment in console.seen.items():
        found[name], before = moment - before, moment
    found["from iPXE to SSH"] = console.seen[last] - console.seen["DHCP and TFTP"]
    return {name: round(value, 1) for name, value in found.items()}


def boot_to_a_shell(site: Site, node: str) -> float:
    """Seconds from iPXE's start until the same kernel, fetched with the same bytes, stands at a shell."""
    with boot_script(site, SHELL_SCRIPT.format(rack=f"{site.nodes_network}.1", consoles="console=tty0 console=ttyS0,115200")), \
            Console(site, node, {"iPXE": LANDMARKS["DHCP and TFTP"], "shell": "floor: a shell"}) as console:
        site.chassis(node, "set", "boot", "pxe")
        site.chassis(node, "set", "power", "1")
        try:
            return console.wait("shell", 300) - console.wait("iPXE", 1)
        finally:
            site.chassis(node, "set", "power", "0")
            site.chassis(node, "set", "boot", "default")


@contextmanager
def boot_script(site: Site, text: str) -> Iterator[None]:
    """Let every machine that boots meanwhile get this iPXE script instead of asking the service."""
    www = site.state / "www"
    script = www / "ipxe" / "boot.ipxe"
    usual = script.read_text()
    place = www / "floor"
    (place / "root").mkdir(parents=True, exist_ok=True)
    program = place / "root" / "shell"
    program.write_text(SHELL)
    program.chmod(0o755)
    with (place / "shell.cpio").open("wb") as archive:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=b"shell\n", stdout=archive, cwd=program.parent, check=True)
    script.write_text(text)
    try:
        yield
    finally:
        script.write_text(usual)
