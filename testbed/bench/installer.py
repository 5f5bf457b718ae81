"""The peer: Debian's own installer with a preseed, over PXE, on the same virtual machine, from power-on to SSH with the user's key."""

import json
import socket
import subprocess
import time
from pathlib import Path

from testbed.site import Site

NETBOOT = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
PROXY_PORT = 3128

PRESEED = """\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string installed
d-i netcfg/get_domain string
d-i mirror/country string manual
d-i mirror/http/hostname string {host}
d-i mirror/http/directory string {path}
d-i mirror/http/proxy string http://{rack}:{port}
d-i clock-setup/utc boolean true
d-i clock-setup/ntp boolean false
d-i time/zone string UTC
d-i passwd/root-login boolean false
d-i passwd/user-fullname string Debian
d-i passwd/username string debian
d-i passwd/user-password-crypted password !
d-i user-setup/allow-password-weak boolean true
d-i partman-auto/method string regular
d-i partman-auto/choose_recipe select atomic
d-i partman-partitioning/confirm_write_new_label boolean true
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
d-i partman-efi/non_efi_system boolean true
d-i apt-setup/services-select multiselect
d-i base-installer/install-recommends boolean false
tasksel tasksel/first multiselect
d-i pkgsel/include string openssh-server sudo cloud-init
d-i pkgsel/upgrade select none
d-i pkgsel/update-policy select none
popularity-contest popularity-contest/participate boolean false
d-i grub-installer/only_debian boolean true
d-i grub-installer/bootdev string default
d-i preseed/late_command string mkdir -p /target/home/debian/.ssh; echo '{key}' > /target/home/debian/.ssh/authorized_keys; \
 in-target chown -R debian:debian /home/debian/.ssh; echo 'debian ALL=(ALL) NOPASSWD: ALL' > /target/etc/sudoers.d/debian; \
 touch /target/etc/cloud/cloud-init.disabled; wget -qO- http://{rack}/ipxe/installed || true
d-i finish-install/reboot_in_progress note
d-i debian-installer/exit/poweroff boolean true
"""

BOOT = """\
#!ipxe
kernel http://{rack}/installer/linux auto=true priority=critical url=http://{rack}/installer/preseed.cfg \
 interface=auto netcfg/dhcp_timeout=60 initrd=initrd.gz console=ttyS0,115200 TERM=dumb DEBIAN_FRONTEND=text --- console=ttyS0,115200
initrd --name initrd.gz http://{rack}/installer/initrd.gz
boot
"""


def mirror() -> tuple[str, str]:
    """Host and path of the Debian mirror that this host's apt is set up with."""
    printed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], check=True, capture_output=True, text=True).stdout
    uri = next(line for line in printed.splitlines() if line.startswith("http://") and "security" not in line)
    host, unused, path = uri.removeprefix("http://").rstrip("/").partition("/")
    return host, f"/{path}"


def serve(site: Site, key: str) -> subprocess.Popen[bytes]:
    """Installer, preseed and a proxy for the packages on the rack. Returns the proxy's process."""
    rack = f"{site.nodes_network}.1"
    place = site.state / "www" / "installer"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("linux", "initrd.gz"):
        (place / name).write_bytes((NETBOOT / name).read_bytes())
    host, path = mirror()
    (place / "preseed.cfg").write_text(PRESEED.format(host=host, path=path, rack=rack, port=PROXY_PORT, key=key))
    (site.state / "www" / "ipxe" / "boot.ipxe").write_text(BOOT.format(rack=rack))
    configuration = site.state / "tinyproxy.conf"
    allowed = f"{site.nodes_network}.0/24"
    configuration.write_text(f"Port {PROXY_PORT}\nListen {rack}\nTimeout 600\nMaxClients 32\nAllow {allowed}\nLogLevel Error\n")
    return subprocess.Popen(["tinyproxy", "-d", "-c", str(configuration)])


def install(site: Site, node: str, key: Path, limit: float = 7200) -> float:
    """Seconds from power-on until the installed system lets the user in.

    :raises TimeoutError: not within ``limit`` seconds.
    """
    proxy = serve(site, key.with_suffix(".pub").read_text().strip())
    started = time.monotonic()
    try:
        site.chassis(node, "set", "boot", "pxe")
        site.chassis(node, "set", "power", "1")
        while site.chassis(node, "get", "power") != "power:0":
            if time.monotonic() - started > limit:
                raise TimeoutError(f"the installer has not ended within {limit} s; {site.lab}/nodes/{node}/console.log")
            time.sleep(1)
        site.chassis(node, "set", "boot", "default")
        site.chassis(node, "set", "power", "1")
        address = wait_ssh(site, key, limit - (time.monotonic() - started))
    finally:
        proxy.terminate()
        proxy.wait()
    seconds = time.monotonic() - started
    print(f"installed system at {address} after {seconds:.0f} s")
    return seconds


def wait_ssh(site: Site, key: Path, limit: float) -> str:
    """The address at which a machine of the lab lets the user in."""
    deadline = time.monotonic() + limit
    leases = site.state / "boot_server" / "dnsmasq.leases"
    while time.monotonic() < deadline:
        for line in leases.read_text().splitlines() if leases.exists() else []:
            address = line.split()[2]
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((address, 22)):
                    continue
            login = ["ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                     "-o", "ConnectTimeout=10", f"debian@{address}", "true"]
            if subprocess.run(login, check=False, capture_output=True).returncode == 0:
                return address
        time.sleep(0.5)
    raise TimeoutError(f"no machine lets the user in within {limit:.0f} s")


def main() -> None:
    """The installer alone, for trying it."""
    site = Site("mpinst", 40, Path("/var/lib/metalpool-installer"))
    site.nodes = [{"name": "i1", "memory": "2G", "cpus": 2, "firmware": "uefi", "disks": [{"size": "6G", "kind": "nvme"}]}]
    site.playbook("metalpool.core.lab", site.variables)
    rack = f"{site.nodes_network}.1"
    site.playbook("metalpool.core.boot_server", site.variables | {
        "boot_server_service_url": "", "boot_server_dhcp_router": rack, "boot_server_dhcp_dns_servers": [rack]})
    key = site.state / "id_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    print(json.dumps({"installer_seconds": install(site, "i1", key)}))


if __name__ == "__main__":
    main()
