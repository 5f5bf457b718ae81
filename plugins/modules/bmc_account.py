# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_account
short_description: Manage an administrator account on a BMC
version_added: 0.1.0
author: Metalpool contributors (@metalpool)
description:
  - Ensures that a BMC has an account with this name and password, enabled, with IPMI messaging and privilege
    ADMINISTRATOR on the LAN channel, and that IPMI over LAN is on there.
  - Runs on the machine itself by default, and speaks to its BMC in-band through C(/dev/ipmi0), which asks for no
    password. A password is in no argument list, and no other program is run.
  - Without O(name), it only reports accounts and the LAN channel.
options:
  name:
    description: Name of the account; at most 16 bytes.
    type: str
  password:
    description:
      - Its password; 1 to 20 bytes. Give at most 16, some BMCs silently drop the rest.
      - The BMC is asked whether it is the password already, so an account that is as wanted stays untouched. A BMC that
        cannot test passwords gets it set each time, which counts as a change.
    type: str
  others:
    description:
      - What to do with other accounts that somebody could log in with.
      - V(keep) leaves them and says nothing, V(report) adds a warning, V(disable) takes their access away once the
        account of O(name) has been set up and its password tested.
    type: str
    choices: [keep, report, disable]
    default: keep
  channel:
    description: LAN channel of the BMC; by default the first that has an address, else the first.
    type: int
  sol:
    description: Allow the account serial over LAN as well. A BMC that cannot is not an error, see RV(account.sol).
    type: bool
    default: true
  interface:
    description:
      - V(open) is the kernel's IPMI driver on the machine itself, V(lan) is IPMI over LAN with O(bmc_host) and its kin.
    type: str
    choices: [open, lan]
    default: open
  device:
    description: Path of the IPMI device with O(interface=open); by default the first that there is.
    type: path
  kind:
    description: Protocol of the BMC.
    type: str
    choices: [ipmi]
    default: ipmi
  bmc_host:
    description: With O(interface=lan), address or name of the BMC. Otherwise not used.
    type: str
    aliases: [address]
  bmc_port:
    description: With O(interface=lan), its UDP port.
    type: int
    default: 623
  bmc_user:
    description: With O(interface=lan), the account to log in with.
    type: str
  bmc_password:
    description: With O(interface=lan), the password to log in with.
    type: str
  bmc_cipher_suite:
    description: With O(interface=lan), see M(metalpool.core.bmc_info).
    type: str
    choices: [auto, "3", "17"]
    default: auto
  bmc_lock_directory:
    description: With O(interface=lan), see M(metalpool.core.bmc_info).
    type: path
  timeout:
    description: Seconds that all of it may take; at least V(2).
    type: int
    default: 60
requirements:
  - With O(interface=lan) pyghmi >= 1.6.19, otherwise nothing beside Python.
notes:
  - The options O(bmc_host), O(bmc_port), O(bmc_user) and O(bmc_password) may also be given by the environment variables
    E(METALPOOL_BMC_HOST), E(METALPOOL_BMC_PORT), E(METALPOOL_BMC_USER), E(METALPOOL_BMC_PASSWORD).
  - A failure returns RV(ignore:bmc_error), one of V(auth), V(unreachable), V(busy), V(timeout), V(unsupported),
    V(unconfirmed), V(refused) or V(failed).
attributes:
  check_mode:
    description: Reads the accounts, tests the password, and says what would change.
    support: full
  diff_mode:
    description: Shows the accounts before and after, without passwords.
    support: full
seealso:
  - module: metalpool.core.bmc_info
"""

EXAMPLES = r"""
- name: Metalpool's own account, on the node
  metalpool.core.bmc_account:
    name: metalpool
    password: "{{ generated_password }}"
    others: report
  register: bmc_account

- name: Only read accounts and the LAN address, on the node
  metalpool.core.bmc_account:

- name: The same over the LAN
  metalpool.core.bmc_account:
    interface: lan
    bmc_host: 172.30.8.11
    bmc_user: admin
    bmc_password: "{{ factory_password }}"
    name: metalpool
    password: "{{ generated_password }}"
  delegate_to: localhost
"""

RETURN = r"""
account:
  description: The account as it is now; empty without O(name).
  returned: success
  type: dict
  contains:
    id:
      description: Its number on the BMC.
      type: int
      sample: 3
    name:
      description: Its name.
      type: str
      sample: metalpool
    enabled:
      description: Whether it is enabled; null when the BMC does not tell.
      type: bool
      sample: true
    privilege:
      description: Its privilege limit on the LAN channel.
      type: str
      sample: ADMINISTRATOR
    messaging:
      description: Whether it may use IPMI over the LAN channel.
      type: bool
      sample: true
    sol:
      description: Whether it may use serial over LAN; null when the BMC does not tell.
      type: bool
      sample: true
    changes:
      description: What was changed, of V(name), V(password), V(access), V(enabled) and V(sol).
      type: list
      elements: str
      sample: [name, password, access, enabled, sol]
verified:
  description:
    - Whether the rights were read back and the BMC tested the password.
    - V(false) where the BMC cannot test passwords, or keeps fewer bytes than were given. Log in over the LAN to
      prove it.
  returned: success
  type: bool
  sample: true
users:
  description: All accounts that have a name or access, as they are now.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 2, "name": "admin", "enabled": true, "privilege": "ADMINISTRATOR", "messaging": true}]
others:
  description: Other accounts that somebody could log in with, as they were before.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 2, "name": "admin", "enabled": true, "privilege": "ADMINISTRATOR", "messaging": true}]
disabled:
  description: Names of the accounts whose access was taken away; an empty name is the anonymous account.
  returned: success
  type: list
  elements: str
  sample: []
lan:
  description: The BMC's LAN channel with its address, address source, MAC, netmask and gateway.
  returned: success
  type: dict
  sample:
    channel: 1
    address: 172.30.8.11
    source: static
    mac: 52:54:00:08:00:0b
    netmask: 255.255.255.0
    gateway: null
lan_enabled:
  description: Whether IPMI over LAN had to be switched on.
  returned: success
  type: bool
  sample: false
identity:
  description: Firmware revision, IPMI version, manufacturer, product and device id of the BMC.
  returned: success
  type: dict
  sample: {"firmware": "2.10", "ipmi_version": "2.0", "manufacturer_id": 674, "product_id": 256, "device_id": 32}
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    BmcError,
    BmcUnconfirmed,
    BmcUnsupported,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_identity import lan_channels, read_identity, read_lan
from ansible_collections.metalpool.core.plugins.module_utils._bmc_inband import in_band_bmc
from ansible_collections.metalpool.core.plugins.module_utils._bmc_users import (
    ADMINISTRATOR,
    ALWAYS_AVAILABLE,
    LONG_PASSWORD,
    NAME_BYTES,
    NO_ACCESS,
    SHORT_PASSWORD,
    User,
    allow_sol,
    find_user,
    free_id,
    lan_access,
    open_lan_access,
    password_is,
    read_users,
    set_access,
    set_enabled,
    set_name,
    set_password,
    sol_is_allowed,
)


def argument_spec() -> dict:
    return {
        "name": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "others": {"type": "str", "choices": ["keep", "report", "disable"], "default": "keep"},
        "channel": {"type": "int"},
        "sol": {"type": "bool", "default": True},
        "interface": {"type": "str", "choices": ["open", "lan"], "default": "open"},
        "device": {"type": "path"},
        "kind": {"type": "str", "choices": ["ipmi"], "default": "ipmi"},
        "bmc_host": {"type": "str", "aliases": ["address"], "fallback": (env_fallback, ["METALPOOL_BMC_HOST"])},
        "bmc_port": {"type": "int", "default": 623, "fallback": (env_fallback, ["METALPOOL_BMC_PORT"])},
        "bmc_user": {"type": "str", "fallback": (env_fallback, ["METALPOOL_BMC_USER"])},
        "bmc_password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["METALPOOL_BMC_PASSWORD"])},
        "bmc_cipher_suite": {"type": "str", "choices": ["auto", "3", "17"], "default": "auto"},
        "bmc_lock_directory": {"type": "path"},
        "timeout": {"type": "int", "default": 60},
    }


def check_options(module: AnsibleModule) -> None:
    name, password = module.params["name"], module.params["password"]
    if module.params["timeout"] < 2:
        module.fail_json(msg=f"timeout={module.params['timeout']} is too short; give 2 seconds or more")
    if name is not None and not 1 <= len(name.encode()) <= NAME_BYTES:
        module.fail_json(msg=f"name has {len(name.encode())} bytes; give 1 to {NAME_BYTES}")
    if password is not None and not 1 <= len(password.encode()) <= LONG_PASSWORD:
        module.fail_json(msg=f"password has {len(password.encode())} bytes; give 1 to {LONG_PASSWORD}")
    if "\0" in (name or "") + (password or ""):
        module.fail_json(msg="name and password must not hold NUL bytes; IPMI ends them there")
    if name is None and module.params["others"] == "disable":
        module.fail_json(msg="others=disable needs a name: without an account of its own it would lock everybody out")


@contextlib.contextmanager
def conversation(module: AnsibleModule) -> Iterator:
    """The BMC, in-band or over the LAN."""
    if module.params["interface"] == "open":
        with in_band_bmc(module.params["timeout"], module.params["device"] or "") as bmc:
            yield bmc
        return
    # Imported here: a node in the ephemeral OS has no pyghmi, and needs none.
    from ansible_collections.metalpool.core.plugins.module_utils._bmc import bmc_session, options_from

    with bmc_session(options_from(module)) as bmc:
        yield bmc


def choose_lan(bmc, channel: int | None) -> dict:
    """The LAN channel to work on.

    :raises BmcUnsupported: when there is none.
    """
    if channel is not None:
        return read_lan(bmc, channel)
    found = [read_lan(bmc, number) for number in lan_channels(bmc)]
    if not found:
        raise BmcUnsupported("the BMC has no LAN channel; give channel if it has one that it does not tell of")
    return next((lan for lan in found if lan["address"]), found[0])


def needed_changes(bmc, user: User, wanted: dict, channel: int) -> list:
    """What the account lacks, in the order in which it is set."""
    lacks_sol = wanted["sol"] and sol_is_allowed(bmc, channel, user.id) is False
    if user.name != wanted["name"]:
        return ["name", "password", "access", "enabled"] + (["sol"] if lacks_sol else [])
    changes = []
    if password_is(bmc, user.id, wanted["password"]) is not True:  # None: it cannot be known, so it is set
        changes.append("password")
    if user.privilege != ADMINISTRATOR or not user.messaging or user.callback_only:
        changes.append("access")
    if user.enabled is False:
        changes.append("enabled")
    if lacks_sol:
        changes.append("sol")
    return changes


def apply_changes(bmc, user: User, wanted: dict, channel: int, changes: list) -> None:
    if "name" in changes:
        set_name(bmc, user.id, wanted["name"])
    if "password" in changes:
        set_password(bmc, user.id, wanted["password"])
    if "access" in changes:
        set_access(bmc, channel, user, ADMINISTRATOR, messaging=True)
    if "enabled" in changes or (changes and user.enabled is None):
        set_enabled(bmc, user.id, True)
    if "sol" in changes and not allow_sol(bmc, channel, user.id):
        changes.remove("sol")


def confirm(bmc, user: User, wanted: dict, channel: int) -> tuple:
    """Read the account back and test its password; returns it, and whether the BMC could test the password.

    :raises BmcUnconfirmed: when it is not as wanted.
    """
    found = find_user(read_users(bmc, channel), wanted["name"])
    wrong = []
    if found is None or found.id != user.id:
        raise BmcUnconfirmed(f"the BMC took the account {wanted['name']!r} but does not list it; look at its user list")
    if found.privilege != ADMINISTRATOR or not found.messaging:
        wrong.append(f"its rights on channel {channel} are not ADMINISTRATOR with IPMI messaging")
    if found.enabled is False:
        wrong.append("it is not enabled")
    tested = password_is(bmc, user.id, wanted["password"])
    if tested is False:
        wrong.append("it has another password")
    if wrong:
        raise BmcUnconfirmed(
            f"the BMC took the account {wanted['name']!r}, but {' and '.join(wrong)}; see its own rules"
        )
    return found, tested is True


def disable_user(bmc, channel: int, user: User) -> None:
    """Take the account's access away; its rights first, since not every BMC can disable every id."""
    set_access(bmc, channel, user, NO_ACCESS, messaging=False)
    try:
        set_enabled(bmc, user.id, False)
    except BmcError:
        left = find_by_id(read_users(bmc, channel), user.id)
        if left is not None and left.usable():
            raise


def find_by_id(users: list, number: int) -> User | None:
    return next((user for user in users if user.id == number), None)


def ensure_lan_access(bmc, channel: int, check_mode: bool) -> bool:
    """Switch IPMI over LAN on where it is off; returns whether that was needed."""
    access = lan_access(bmc, channel)
    if access is None or (access[0] & 0x07 == ALWAYS_AVAILABLE and access[1] >= ADMINISTRATOR):
        return False
    if not check_mode:
        open_lan_access(bmc, channel, access[0])
    return True


def ensure_account(bmc, module: AnsibleModule, users: list, channel: int) -> tuple:
    """Returns the account as it is, or would be, the changes, and whether the BMC tested the password."""
    wanted = {key: module.params[key] for key in ("name", "password", "sol")}
    user = find_user(users, wanted["name"]) or find_by_id(users, free_id(users))
    changes = needed_changes(bmc, user, wanted, channel)
    if module.check_mode:
        return (
            replace(user, name=wanted["name"], enabled=True, privilege=ADMINISTRATOR, messaging=True),
            changes,
            not changes,
        )
    apply_changes(bmc, user, wanted, channel, changes)
    confirmed, tested = confirm(bmc, user, wanted, channel)
    return confirmed, changes, tested


def work(bmc, module: AnsibleModule) -> dict:
    name, check_mode = module.params["name"], module.check_mode
    identity = read_identity(bmc)
    lan = choose_lan(bmc, module.params["channel"])
    channel = lan["channel"]
    before = read_users(bmc, channel)
    others = [user for user in before if user.name != name and user.usable()]
    result = {"identity": identity.as_dict(), "lan": lan, "others": [user.as_dict() for user in others]}
    account, changes, lan_enabled, disabled, tested = {}, [], False, [], False
    if name is not None:
        user, changes, tested = ensure_account(bmc, module, before, channel)
        sol = True if check_mode and "sol" in changes else sol_is_allowed(bmc, channel, user.id)
        account = dict(user.as_dict(), sol=sol, changes=changes)
        lan_enabled = ensure_lan_access(bmc, channel, check_mode)
        if module.params["others"] == "disable":
            disabled = [other.name for other in others]
            for other in others if not check_mode else []:
                disable_user(bmc, channel, other)
    after = before if check_mode else read_users(bmc, channel)
    result.update(
        changed=bool(changes or lan_enabled or disabled),
        account=account,
        users=shown(after),
        lan_enabled=lan_enabled,
        disabled=disabled,
        verified=tested,
    )
    if module._diff:
        result["diff"] = {"before": {"users": shown(before)}, "after": {"users": shown(after)}}
        if check_mode and changes:
            planned = {key: value for key, value in account.items() if key not in ("changes", "sol")}
            kept = [user for user in shown(before) if user["id"] != planned["id"]]
            result["diff"]["after"]["users"] = sorted([*kept, planned], key=lambda user: user["id"])
    return result


def shown(users: list) -> list:
    return [user.as_dict() for user in users if user.name or user.usable()]


def password_is_long(module: AnsibleModule) -> bool:
    return len(module.params["password"].encode()) > SHORT_PASSWORD


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_together=[("name", "password")],
        required_if=[("interface", "lan", ("bmc_host", "bmc_user", "bmc_password"))],
    )
    check_options(module)
    try:
        with conversation(module) as bmc:
            result = work(bmc, module)
    except BmcError as error:
        module.fail_json(**error.as_result())
    if module.params["others"] == "report" and result["others"]:
        names = ", ".join(repr(user["name"]) for user in result["others"])
        module.warn(f"the BMC has other accounts that somebody could log in with: {names}")
    if result["account"] and not result["verified"] and not module.check_mode and password_is_long(module):
        module.warn(
            "the BMC did not confirm a password of more than 16 bytes, it may have dropped the rest: "
            "log in over the LAN to see"
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
