# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first boot would do, done before it: the installed system is written as cloud-init would leave it, and does not start it.

An image that has C(PHONE_HOME_UNIT) says by it that this suits it: systemd-networkd, OpenSSH, Debian's tables of users. The unit
tells the service, once the SSH server is up, that the system is there.
"""

from __future__ import annotations

import os
import typing as t
import uuid

from ansible_collections.metalpool.core.plugins.module_utils._accounts import SUDOERS, Account, add_accounts
from ansible_collections.metalpool.core.plugins.module_utils._installed_system import InstalledSystem
from ansible_collections.metalpool.core.plugins.module_utils._network import NETWORK_PREFIX, Interface, networkd
from ansible_collections.metalpool.core.plugins.module_utils._run import run

PHONE_HOME_UNIT = "/usr/lib/systemd/system/metalpool-phone-home.service"
PHONE_HOME_ADDRESS = "/etc/metalpool/phone-home"
CLOUD_INIT_OFF = "/etc/cloud/cloud-init.disabled"
# cloud-init's own file, read before ours
SSH_PASSWORDS = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
HOST_KEYS = ("ed25519", "ecdsa")
HOSTS = """127.0.0.1 localhost
127.0.1.1 {names}

::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""


class OfflineProblem(Exception):
    """The system could not be written; the text says what failed."""


class Wanted(t.NamedTuple):
    """What is known of the system before its first boot."""

    hostname: str
    accounts: t.Sequence[Account]
    interfaces: t.Sequence[Interface]
    ssh_password: bool
    phone_home_url: str | None


def suits(system: InstalledSystem) -> bool:
    """Whether the image says that it can do without cloud-init."""
    return os.path.exists(system.path(PHONE_HOME_UNIT))


def remove(system: InstalledSystem) -> None:
    """Take out what :func:`write` wrote before, but for what every cleaning takes out."""
    for name in (PHONE_HOME_ADDRESS, SUDOERS, *system.glob("/etc/systemd/network", NETWORK_PREFIX + "*")):
        system.remove(name)


def write(system: InstalledSystem, wanted: Wanted) -> None:
    """Write everything.

    :raises AccountProblem: a user cannot be made
    :raises OfflineProblem: a host key could not be made
    """
    short = wanted.hostname.partition(".")[0]
    names = wanted.hostname if short == wanted.hostname else f"{wanted.hostname} {short}"
    system.write("/etc/hostname", short + "\n")
    system.write("/etc/hosts", HOSTS.format(names=names))
    system.write("/etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
    system.write(SSH_PASSWORDS, "PasswordAuthentication {}\n".format("yes" if wanted.ssh_password else "no"), 0o600)
    for name, text in networkd(wanted.interfaces).items():
        system.write("/etc/systemd/network/" + name, text)
    add_accounts(system, wanted.accounts)
    _make_host_keys(system)
    if wanted.phone_home_url:
        system.write(PHONE_HOME_ADDRESS, wanted.phone_home_url + "\n", 0o600)
    system.write(CLOUD_INIT_OFF, "Everything was written before the first boot. Remove this file to let cloud-init run.\n")


def _make_host_keys(system: InstalledSystem) -> None:
    """On the node itself: the private halves never leave it."""
    for kind in HOST_KEYS:
        path = system.path(f"/etc/ssh/ssh_host_{kind}_key")
        done = run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path], 60)
        if not done.ok:
            raise OfflineProblem(f"no SSH host key could be made: {done.reason()}")
