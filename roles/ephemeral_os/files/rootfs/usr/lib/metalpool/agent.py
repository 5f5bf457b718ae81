"""From the first packet to an SSH port that only the worker can use; see docs of the boot protocol."""

from __future__ import annotations

import sys

from metalpool_agent import bmc, cmdline, machine, network, programs, service, ssh
from metalpool_agent.console import phase, say
from metalpool_agent.files import read

READY = "/run/metalpool/ready"


def enlist(url: str, link: str, address: str) -> tuple[str, str]:
    """Register this unknown machine and wait until it is accepted; boot id and one-shot token."""
    interfaces = network.links()
    document = {
        **machine.describe(),
        "interfaces": [{"name": name, "mac": mac} for name, mac in interfaces.items()],
        "boot_mac": interfaces[link],
        "address": address,
        "bmc": bmc.lan() if bmc.present() else None,
    }
    claim = service.enlist(url, document)
    phase("enlist")
    return service.wait_for_acceptance(url, claim)


def check_in(url: str, boot: str, token: str | None, link: str, address: str) -> list[str]:
    """Show the nonce (or the token, where there is no BMC in-band); the keys that may log in."""
    nonces = bmc.nonces()

    def document() -> dict:
        return {
            "boot": boot,
            "nonce": next(nonces) if bmc.present() else None,
            "token": token,
            "host_key": ssh.host_key(),
            "address": address,
            "uuid": machine.uuid(),
            "macs": list(network.links().values()),
            "boot_mac": network.links().get(link),
        }

    return service.check_in(url, document)


def main() -> None:
    """The boot flow; powers off when the service does not want this machine."""
    phase("agent")
    try:
        words = cmdline.parse(read("/proc/cmdline"))
        link, address = network.await_rack(words["url"])
        phase("network")
        boot, token = words.get("boot", ""), words.get("token")
        if words["mode"] == "enlist":
            boot, token = enlist(words["url"], link, address)
        ssh.wait_for_server()  # whoever hears of the check-in logs in at once
        keys = check_in(words["url"], boot, token, link, address)
    except (cmdline.CommandLineError, service.Refused) as error:
        say(f"{error}; powering off")
        programs.output("/sbin/poweroff")
        return
    phase("checkin")
    ssh.authorize(keys)
    phase("ready")
    say("ready")
    open(READY, "w").close()  # "drivers" goes on
    # LLDP neighbours announce themselves every 30 s: listen from now on, the inventory asks later.
    programs.output("/usr/sbin/lldpd")


def print_nonce() -> None:
    """The last nonce in the BMC's event log; the worker compares it with what it wrote there over the LAN."""
    print(bmc.read_nonce() or "")


if __name__ == "__main__":
    print_nonce() if sys.argv[1:] == ["nonce"] else main()
