# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: first_boot
short_description: Prepare the first boot of the operating system that was written to a disk
description:
  - Runs on the node, in the ephemeral OS, after M(metalpool.core.image_write). Mounts the installed root file system, takes the
    users, keys, passwords and identity of the image's build out, and puts the holder's credentials, host name and network in.
  - An image that is made for it (it has C(metalpool-phone-home.service)) gets everything written before its first boot, its SSH host
    keys included, and boots without cloud-init. With O(user_data), and for every other image, cloud-init is seeded (NoCloud) and
    does the same work while it boots.
  - The holder's own user data is kept as it is and goes first; Metalpool's part is merged after it so that both count. Lists such as
    C(users) and C(runcmd) are joined; of what both set, the holder's value stays, except for C(phone_home).
  - Nobody but the users named can log in. Without a password hash a user has no password. Root does not log in over SSH.
  - On UEFI it makes the boot entry V(Metalpool) for the disk's loader, directly after the network entry that this boot came by.
    The network stays first, because what a node boots is decided at each boot.
  - The file system is unmounted whatever happens.
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
options:
  disk:
    description: Serial number or WWN of the disk that the image was written to, or the disk's path.
    type: str
    required: true
  instance_id:
    description: Identity of this installation for cloud-init; another one makes it start afresh.
    type: str
    required: true
  hostname:
    description: Host name of the installed system.
    type: str
    required: true
  user:
    description: The main user. It may use sudo.
    type: str
    required: true
  ssh_keys:
    description: Public SSH keys of the main user.
    type: list
    elements: str
    default: []
  password_hash:
    description: Hash of the main user's password as crypt(5) writes it, for the console and sudo. Without it the password is locked.
    type: str
  ssh_password:
    description: Let passwords be used over SSH too.
    type: bool
    default: false
  extra_users:
    description: More users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Login name.
        type: str
        required: true
      ssh_keys:
        description: Public SSH keys of this user.
        type: list
        elements: str
        default: []
      sudo:
        description: This user may use sudo without a password.
        type: bool
        default: false
      password_hash:
        description: Hash of this user's password.
        type: str
  user_data:
    description: The holder's own user data in any text format of cloud-init (cloud-config, script, include, MIME archive, ...).
    type: str
  phone_home_url:
    description: Address that the installed system posts its host keys to at the end of its first boot.
    type: str
  phone_home_tries:
    description: How often it tries.
    type: int
    default: 30
  method:
    description:
      - V(offline) writes everything before the first boot; V(cloud-init) seeds cloud-init. V(auto) is V(offline) where the image is
        made for it and there is no O(user_data).
    type: str
    choices: [auto, offline, cloud-init]
    default: auto
  interfaces:
    description:
      - Interfaces of the installed system. By default those that have an IPv4 address on this node now, by DHCP.
    type: list
    elements: dict
    default: []
    suboptions:
      mac:
        description: MAC address.
        type: str
        required: true
      name:
        description: Name of the interface in the installed system; by default the name that it has on this node now.
        type: str
      dhcp:
        description: Whether the interface asks for an IPv4 address by DHCP.
        type: bool
        default: true
      addresses:
        description: Fixed addresses with their prefix length, such as V(192.0.2.7/24).
        type: list
        elements: str
        default: []
      gateways:
        description: Addresses of the default gateways, one for each of IPv4 and IPv6 at most.
        type: list
        elements: str
        default: []
      mtu:
        description: Largest packet in bytes; by default what the driver or DHCP says.
        type: int
      dns:
        description: Addresses of name servers.
        type: list
        elements: str
        default: []
  dhcp_on_others:
    description:
      - Whether further interfaces, those that have an IPv4 address on this node now, use DHCP in the installed system.
      - Without O(interfaces) they always do.
    type: bool
    default: false
  wait_seconds:
    description: How long to wait for the disk to appear.
    type: float
    default: 20
  uefi_entry:
    description: Make the UEFI boot entry. On a node that was booted by BIOS there is nothing to do.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Checks the options and finds the disk, and changes nothing.
  diff_mode:
    support: none
    description: What would be shown is secret.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Let the holder in
  metalpool.core.first_boot:
    disk: S4EVNX0M123456
    instance_id: a81bc81b-dead-4e5d-abff-90865d1e13b1
    hostname: build-7
    user: debian
    ssh_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx5aW5nIGluIHRoZSBkb2N1bWVudGF0aW9u me@example.org
    phone_home_url: http://172.30.7.1/boot/phone-home/Zm9v
"""

RETURN = r"""
root:
  description: Partition of the installed root file system.
  returned: success
  type: str
cleaned:
  description: What of the image's build was taken out.
  returned: success
  type: list
  elements: str
method:
  description: V(offline) or V(cloud-init).
  returned: success
  type: str
interfaces:
  description: The interfaces of the installed system; empty when it chooses itself.
  returned: success
  type: list
  elements: dict
boot_entry:
  description: Number of the UEFI boot entry, the loader, and the boot order; V(null) on BIOS.
  returned: success
  type: dict
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils import _nocloud, _offline
from ansible_collections.metalpool.core.plugins.module_utils._accounts import Account, AccountProblem
from ansible_collections.metalpool.core.plugins.module_utils._disks import DiskProblem, find_disk, mounts_of
from ansible_collections.metalpool.core.plugins.module_utils._installed_system import InstalledSystem, clean, restrict_sshd, write_seed
from ansible_collections.metalpool.core.plugins.module_utils._network import Interface
from ansible_collections.metalpool.core.plugins.module_utils._partitions import Mounted, PartitionProblem, find_esp, find_root, numbered
from ansible_collections.metalpool.core.plugins.module_utils._run import read_text, run_json
from ansible_collections.metalpool.core.plugins.module_utils._settle import await_disk
from ansible_collections.metalpool.core.plugins.module_utils._uefi import UefiProblem, architecture, find_loader, install_entry, is_uefi

USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}$")
HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$")
SSH_KEY = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}=*( [^\n\r]*)?$")
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}$", re.IGNORECASE)


def check(params):
    """The first thing that is wrong with the options, or None."""
    if not HOST_NAME.match(params["hostname"]):
        return "hostname: {} is not a host name; use letters, digits, hyphens and dots.".format(params["hostname"])
    people = [dict(params, name=params["user"])] + params["extra_users"]
    for place, person in enumerate(people):
        option = "user" if place == 0 else "extra_users"
        if not USER_NAME.match(person["name"]):
            return "{}: {} is not a login name; use small letters, digits, _ and -, at most 32.".format(option, person["name"])
        if person["name"] == "root":
            return f"{option}: root does not log in; name another user, who gets sudo."
        for key in person["ssh_keys"]:
            if not SSH_KEY.match(key.strip()):
                return "ssh_keys: {}... of {} is not a public SSH key; give a line as in id_ed25519.pub.".format(key[:30], person["name"])
        if person["password_hash"] and not re.match(r"\$[0-9a-z]+\$[^:\s]+$", person["password_hash"]):
            return (
                f"password_hash: that of {person['name']} is no hash as crypt(5) writes it, such as $6$...; never give the password itself."
            )
    if not params["ssh_keys"] and not params["password_hash"]:
        return "ssh_keys: none are given for {}, and no password_hash: nobody could log in. Give one of them.".format(params["user"])
    if params["method"] == "offline" and params["user_data"]:
        return "method: offline does not start cloud-init, which is what reads user_data; use auto or cloud-init."
    for entry in params["interfaces"]:
        if not MAC.match(entry["mac"]):
            return "interfaces: {} is not a MAC address; write it as 52:54:00:12:34:56.".format(entry["mac"])
    return None


def local_interfaces():
    """This node's interfaces that have a global IPv4 address now."""
    found = []
    for entry in run_json(["ip", "-j", "-4", "address", "show", "scope", "global", "up"], 30) or []:
        if entry.get("addr_info") and os.path.exists("/sys/class/net/{}/device".format(entry["ifname"])):
            # ip -4 leaves the MAC address out
            found.append(Interface(read_text("/sys/class/net/{}/address".format(entry["ifname"])), entry["ifname"]))
    return found


def named_interfaces(wanted):
    """The interfaces of the option, each with a name."""
    names = {
        read_text(f"/sys/class/net/{name}/address"): name
        for name in sorted(os.listdir("/sys/class/net"))
        if os.path.exists(f"/sys/class/net/{name}/device")
    }
    return [
        Interface(
            entry["mac"].lower(),
            entry["name"] or names.get(entry["mac"].lower()) or "net%s" % number,
            entry["dhcp"],
            tuple(entry["addresses"]),
            tuple(entry["gateways"]),
            tuple(entry["dns"]),
            entry["mtu"],
        )
        for number, entry in enumerate(wanted)
    ]


def accounts(params):
    """All who may log in, the main user first."""
    main = Account(params["user"], params["ssh_keys"], params["password_hash"], True)
    return [main, *(Account(one["name"], one["ssh_keys"], one["password_hash"], one["sudo"]) for one in params["extra_users"])]


def build_seed(params, people, interfaces):
    """The files of the seed and the base configuration.

    :raises SeedProblem: the holder's user data is of no format that cloud-init knows
    """
    others = [_nocloud.user(person) for person in people[1:]]
    home = _nocloud.phone_home(params["phone_home_url"], params["phone_home_tries"]) if params["phone_home_url"] else None
    seed = {
        "meta-data": _nocloud.meta_data(params["instance_id"], params["hostname"], params["ssh_keys"]),
        "user-data": _nocloud.user_data(["default", *others], params["ssh_password"], home, params["user_data"]),
    }
    if interfaces:
        seed["network-config"] = _nocloud.network_config(interfaces)
    return seed, _nocloud.base_config(people[0])


def choose_method(params, system):
    """How this system is prepared.

    :raises DiskProblem: neither way is open
    """
    if params["method"] == "offline" or (params["method"] == "auto" and not params["user_data"] and _offline.suits(system)):
        return "offline"
    if not os.path.isdir(system.path("/etc/cloud")):
        raise DiskProblem(
            "disk: the installed system has no cloud-init (/etc/cloud is missing), so nobody could log in. Use an image with cloud-init."
        )
    return "cloud-init"


def prepare(system, params, people, interfaces):
    """Clean the system and let the holder in.

    :raises SeedProblem: see build_seed
    :returns: (method, what was taken out)
    """
    method = choose_method(params, system)
    _offline.remove(system)
    cleaned = clean(system)
    restrict_sshd(system)
    if method == "offline":
        wanted = _offline.Wanted(params["hostname"], people, interfaces, params["ssh_password"], params["phone_home_url"])
        _offline.write(system, wanted)
    else:
        write_seed(system, *build_seed(params, people, interfaces))
    return method, cleaned


def install_boot_entry(disk, parts):
    """The UEFI entry for the disk's ESP; None on BIOS.

    :raises UefiProblem: no ESP, no loader, or the firmware refuses
    """
    if not is_uefi():
        return None
    esp = find_esp(parts)
    if esp is None:
        raise UefiProblem(f"{disk.path} has no EFI system partition, so this UEFI node cannot boot it. Use an image that boots by UEFI.")
    with Mounted(esp["path"], "ro") as point:
        loader = find_loader(point, architecture())
    if loader is None:
        raise UefiProblem("{} has no boot loader for {}. Use an image that boots by UEFI.".format(esp["path"], architecture()))
    number, order = install_entry(disk.path, esp["number"], loader)
    return {"id": number, "loader": loader, "order": order}


def main():
    person = {
        "ssh_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "password_hash": {"type": "str", "no_log": True},
    }
    module = AnsibleModule(
        argument_spec=dict(
            {
                "disk": {"type": "str", "required": True},
                "instance_id": {"type": "str", "required": True},
                "hostname": {"type": "str", "required": True},
                "user": {"type": "str", "required": True},
                "ssh_password": {"type": "bool", "default": False, "no_log": False},
                "extra_users": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": dict(
                        {
                            "name": {"type": "str", "required": True},
                            "sudo": {"type": "bool", "default": False},
                        },
                        **person,
                    ),
                },
                "user_data": {"type": "str", "no_log": True},
                "phone_home_url": {"type": "str", "no_log": True},
                "phone_home_tries": {"type": "int", "default": 30},
                "interfaces": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "mac": {"type": "str", "required": True},
                        "name": {"type": "str"},
                        "dhcp": {"type": "bool", "default": True},
                        "addresses": {"type": "list", "elements": "str", "default": []},
                        "gateways": {"type": "list", "elements": "str", "default": []},
                        "mtu": {"type": "int"},
                        "dns": {"type": "list", "elements": "str", "default": []},
                    },
                },
                "method": {"type": "str", "choices": ["auto", "offline", "cloud-init"], "default": "auto"},
                "dhcp_on_others": {"type": "bool", "default": False},
                "wait_seconds": {"type": "float", "default": 20},
                "uefi_entry": {"type": "bool", "default": True},
            },
            **person,
        ),
        supports_check_mode=True,
    )
    params = module.params
    wrong = check(params)
    if wrong:
        module.fail_json(msg=wrong)
    people = accounts(params)
    try:
        interfaces = named_interfaces(params["interfaces"])
        if params["dhcp_on_others"] or not interfaces:
            known = {entry.mac for entry in interfaces}
            interfaces += [entry for entry in local_interfaces() if entry.mac not in known]
        if params["user_data"]:
            build_seed(params, people, interfaces)  # what is wrong with it is said before anything is changed
        await_disk(params["disk"], params["wait_seconds"])
        disk = find_disk(params["disk"])
        if mounts_of(disk.name):
            raise DiskProblem("disk: {} is mounted at {}; unmount it first.".format(disk.path, ", ".join(mounts_of(disk.name))))
        shown = [entry._asdict() for entry in interfaces]
        if module.check_mode:
            module.exit_json(changed=True, interfaces=shown)
        parts = numbered(disk.name)
        root = find_root(disk.name, parts)
        with Mounted(root["path"]) as point:
            method, cleaned = prepare(InstalledSystem(point), params, people, interfaces)
        entry = install_boot_entry(disk, parts) if params["uefi_entry"] else None
    except (DiskProblem, PartitionProblem, UefiProblem, AccountProblem, _offline.OfflineProblem, _nocloud.SeedProblem, OSError) as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=True, root=root["path"], method=method, cleaned=cleaned, interfaces=shown, boot_entry=entry)


if __name__ == "__main__":
    main()
