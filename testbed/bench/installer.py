"""The peer: what Debian's own installer cannot be faster than, measured from its real parts on the same virtual machine.

The whole installer needs its components (udebs) from a mirror that has them; many mirrors and caches keep only debs. So two parts
are measured, and the rest of the installer's work (its components, partitioning, configuration, the initrd) counts as nothing:
it boots over PXE until it begins to load components, and debootstrap, kernel, boot loader and SSH server are installed in the guest.
"""

import shlex
import subprocess
import time
from pathlib import Path

from testbed.bench.boots import LANDMARKS, Console, boot_script
from testbed.site import Site

PACKAGE = "debian-installer-12-netboot-amd64"
NETBOOT = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
PROXY_PORT = 3128
TIMED_OUT = 124
"""Exit code of timeout(1)."""

PRESEED = """\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string installed
d-i netcfg/get_domain string
d-i mirror/country string manual
d-i mirror/http/hostname string {host}
d-i mirror/http/directory string {path}
d-i mirror/http/proxy string {proxy}
"""

BOOT = """\
#!ipxe
kernel http://{rack}/installer/linux auto=true priority=critical url=http://{rack}/installer/preseed.cfg \
 interface=auto initrd=initrd.gz console=ttyS0,115200 TERM=dumb DEBIAN_FRONTEND=text --- console=ttyS0,115200
initrd --name initrd.gz http://{rack}/installer/initrd.gz
boot
"""

BOOTSTRAP = """\
set -e
export http_proxy={proxy} DEBIAN_FRONTEND=noninteractive LC_ALL=C INITRD=No
apt-get update -q
apt-get install -qy --no-install-recommends debootstrap
rm -rf /peer
date +%s.%N > /root/peer.started
debootstrap bookworm /peer {mirror}
for place in dev proc sys; do mount --rbind /$place /peer/$place; done
chroot /peer apt-get install -qy --no-install-recommends linux-image-amd64 grub-efi-amd64-bin openssh-server sudo cloud-init
sync
echo "peer: $(echo "$(date +%s.%N) $(cat /root/peer.started)" | awk '{{print $1 - $2}}') seconds"
"""


def mirror() -> tuple[str, str]:
    """Host and path of the Debian mirror that this host's apt is set up with."""
    printed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], check=True, capture_output=True, text=True).stdout
    uri = next(line for line in printed.splitlines() if line.startswith("http://") and "security" not in line)
    host, _slash, path = uri.removeprefix("http://").rstrip("/").partition("/")
    return host, f"/{path}"


class Proxy:
    """An HTTP proxy on the rack for the packages, since the machines' network leads nowhere."""

    def __init__(self, site: Site) -> None:
        self.address = f"{site.nodes_network}.1"
        self.url = f"http://{self.address}:{PROXY_PORT}"
        self._configuration = site.state / "tinyproxy.conf"
        allowed = f"{site.nodes_network}.0/24"
        self._configuration.write_text(
            f"Port {PROXY_PORT}\nListen {self.address}\nTimeout 600\nMaxClients 32\nAllow {allowed}\nLogLevel Error\n")

    def __enter__(self) -> "Proxy":
        self._process = subprocess.Popen(["tinyproxy", "-d", "-c", str(self._configuration)])
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.terminate()
        self._process.wait()


def prepare() -> None:
    """Install the installer's network boot files and the proxy."""
    subprocess.run(["apt-get", "install", "-qqy", "--no-install-recommends", "tinyproxy-bin", PACKAGE], check=True,
                   stdout=subprocess.DEVNULL)


def bootstrap(ssh: list[str], proxy: Proxy, limit: float) -> float:
    """Seconds that debootstrap and the packages of a bootable system need in a guest that runs already; it has its disk and network.

    :param ssh: command that logs in to the guest as a user who may use sudo.
    :param limit: seconds after which it is ended and counts as having taken that long; it takes a quarter of an hour under emulation.
    """
    host, path = mirror()
    script = BOOTSTRAP.format(proxy=proxy.url, mirror=f"http://{host}{path}")
    command = [*ssh, f"sudo timeout {limit:.0f} sh -c {shlex.quote(script)}"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode == TIMED_OUT:
        return limit
    if ended.returncode:
        raise RuntimeError(f"debootstrap in the guest: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return float(ended.stdout.rsplit("peer: ", 1)[1].split()[0])


def boot_installer(site: Site, node: str, proxy: Proxy, seconds: float = 900) -> float:
    """Seconds from power-on until the installer, booted over PXE, has its network and mirror and begins to load its components."""
    place = site.state / "www" / "installer"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("linux", "initrd.gz"):
        (place / name).write_bytes((NETBOOT / name).read_bytes())
    host, path = mirror()
    (place / "preseed.cfg").write_text(PRESEED.format(host=host, path=path, proxy=proxy.url))
    with boot_script(site, BOOT.format(rack=proxy.address)), \
            Console(site, node, {"iPXE": LANDMARKS["DHCP and TFTP"], "components": "Loading additional components"}) as console:
        site.chassis(node, "set", "boot", "pxe")
        started = time.monotonic()
        site.chassis(node, "set", "power", "1")
        try:
            return console.wait("components", seconds) - started
        finally:
            site.chassis(node, "set", "power", "0")
            site.chassis(node, "set", "boot", "default")
