# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a BMC (IPMI 2.0, sections 22.22 to 22.32 and 24.6 to 24.7)."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    UNSUPPORTED_CODES,
    BmcCommandError,
    BmcUnsupported,
)

NAME_BYTES, SHORT_PASSWORD, LONG_PASSWORD = 16, 16, 20
DISABLE, ENABLE, SET_PASSWORD, TEST_PASSWORD = 0, 1, 2, 3
PRIVILEGES = {1: "CALLBACK", 2: "USER", 3: "OPERATOR", 4: "ADMINISTRATOR", 5: "OEM", 15: "NO ACCESS"}
ADMINISTRATOR, NO_ACCESS = 4, 15
WRONG_PASSWORD_CODES = frozenset({0x80, 0x81})
LENGTH_INVALID = 0xC7
FIRST_FREE_ID = 3
"""Ids 1 (anonymous) and 2 (the maker's) are left alone as long as there are others."""
ALWAYS_AVAILABLE = 2


@dataclass(frozen=True)
class User:
    """One account, as it is on one channel.

    :param messaging: may use IPMI over that channel.
    :param callback_only: may only be called back.
    :param fixed: its name cannot be changed.
    """

    id: int
    name: str
    enabled: bool | None
    privilege: int
    messaging: bool
    callback_only: bool = False
    link_auth: bool = False
    fixed: bool = False

    def usable(self) -> bool:
        """Whether somebody could log in with it; unknown counts as yes."""
        return self.enabled is not False and self.messaging and self.privilege not in (0, NO_ACCESS)

    def as_dict(self) -> dict:
        return {
            "id": self.id,
            "name": self.name,
            "enabled": self.enabled,
            "privilege": PRIVILEGES.get(self.privilege, "NO ACCESS" if self.privilege == 0 else str(self.privilege)),
            "messaging": self.messaging,
        }


def _read_access(bmc, channel: int, number: int) -> bytes:
    return bmc.raw(0x06, 0x44, bytes([channel, number]), what=f"describe account {number}")


def _read_name(bmc, number: int) -> str:
    try:
        data = bmc.raw(0x06, 0x46, bytes([number]), what=f"name account {number}")
    except BmcCommandError:
        return ""  # some BMCs answer so for an id that is not in use
    return bytes(data[:NAME_BYTES]).split(b"\0")[0].decode("utf-8", "replace")


def read_users(bmc, channel: int) -> list:
    """All accounts of a BMC, with their rights on one channel."""
    first = _read_access(bmc, channel, 1)
    most, fixed = first[0] & 0x3F, first[2] & 0x3F
    users = []
    for number in range(1, most + 1):
        try:
            access = first if number == 1 else _read_access(bmc, channel, number)
        except BmcCommandError:
            continue  # an id that this BMC does not have
        status = access[1] >> 6
        users.append(
            User(
                id=number,
                name=_read_name(bmc, number),
                enabled={1: True, 2: False}.get(status),  # 0: the BMC does not tell
                privilege=access[3] & 0x0F,
                messaging=bool(access[3] & 0x10),
                link_auth=bool(access[3] & 0x20),
                callback_only=bool(access[3] & 0x40),
                fixed=number <= fixed,
            )
        )
    return users


def find_user(users: list, name: str) -> User | None:
    return next((user for user in users if user.name == name), None)


def free_id(users: list) -> int:
    """The id for a new account: without a name, not fixed, preferably neither the anonymous nor the maker's.

    :raises BmcUnsupported: when all are taken.
    """
    free = [user.id for user in users if not user.name and not user.fixed and user.id > 1]
    later = [number for number in free if number >= FIRST_FREE_ID]
    if not free:
        raise BmcUnsupported(
            f"all {len(users)} accounts of the BMC are taken; remove one by hand or reset the BMC to its defaults"
        )
    return min(later or free)


def _padded(password: str) -> bytes:
    """16 bytes where they are enough: not every BMC takes 20."""
    raw = password.encode()
    return raw.ljust(SHORT_PASSWORD if len(raw) <= SHORT_PASSWORD else LONG_PASSWORD, b"\0")


def _password_request(number: int, operation: int, password: str) -> bytes:
    data = _padded(password)
    return bytes([number | (0x80 if len(data) == LONG_PASSWORD else 0), operation]) + data


def _password_passes(bmc, number: int, password: str) -> bool:
    what = f"test the password of account {number}"
    try:
        bmc.raw(0x06, 0x47, _password_request(number, TEST_PASSWORD, password), what=what)
    except BmcCommandError as error:
        if error.code in WRONG_PASSWORD_CODES:
            return False
        raise
    return True


def password_is(bmc, number: int, password: str) -> bool | None:
    """Whether the account has this password (operation "test password" of section 22.30).

    None when the BMC cannot tell: some answer yes to every password (ipmi_sim does), some keep 16 bytes of 20. So a
    password that differs in its last byte is tested as well, and must not pass.
    """
    try:
        if not _password_passes(bmc, number, password):
            return False
        other = password[:-1] + ("x" if password[-1] != "x" else "y")
        return None if _password_passes(bmc, number, other) else True
    except BmcCommandError as error:
        if error.code in UNSUPPORTED_CODES or error.code == LENGTH_INVALID:
            return None
        raise


def set_password(bmc, number: int, password: str) -> None:
    what = f"set the password of account {number}"
    try:
        bmc.raw(0x06, 0x47, _password_request(number, SET_PASSWORD, password), what=what)
    except BmcCommandError as error:
        raise BmcCommandError(
            what, 0x06, 0x47, error.code, "Its rules for passwords may want other characters or another length"
        ) from error


def set_name(bmc, number: int, name: str) -> None:
    data = bytes([number]) + name.encode().ljust(NAME_BYTES, b"\0")
    bmc.raw(0x06, 0x45, data, what=f"name account {number} {name!r}")


def set_enabled(bmc, number: int, enabled: bool) -> None:
    """Enable or disable; the password field is sent because some BMCs insist on it, and is not used."""
    data = bytes([number, ENABLE if enabled else DISABLE])
    what = f"{'enable' if enabled else 'disable'} account {number}"
    try:
        bmc.raw(0x06, 0x47, data, what=what)
    except BmcCommandError as error:
        if error.code not in (0xC7, 0xC6, 0xCC):
            raise
        bmc.raw(0x06, 0x47, data + bytes(SHORT_PASSWORD), what=what)


def set_access(bmc, channel: int, user: User, privilege: int, messaging: bool) -> None:
    """Rights on a channel (Set User Access, section 22.26); link authentication stays as it is."""
    bits = 0x80 | (0x20 if user.link_auth else 0) | (0x10 if messaging else 0) | channel
    data = bytes([bits, user.id, privilege])
    bmc.raw(0x06, 0x43, data, what=f"give account {user.id} its rights on channel {channel}")


def sol_is_allowed(bmc, channel: int, number: int) -> bool | None:
    """Whether the account may use serial over LAN; None when the BMC does not say."""
    try:
        data = bmc.raw(0x06, 0x4D, bytes([channel, number]), what=f"list payloads of account {number}")
    except BmcCommandError:
        return None
    return bool(data and data[0] & 0x02)


def allow_sol(bmc, channel: int, number: int) -> bool:
    """Let the account use serial over LAN, payload 1; False when the BMC cannot (section 24.6)."""
    try:
        bmc.raw(
            0x06, 0x4C, bytes([channel, number & 0x3F, 0x02, 0, 0, 0]), what=f"allow account {number} serial over LAN"
        )
    except BmcCommandError:
        return False
    return True


def lan_access(bmc, channel: int) -> tuple | None:
    """The channel's kept access settings and privilege limit (section 22.23); None when it has none."""
    try:
        data = bmc.raw(0x06, 0x41, bytes([channel, 0x40]), what=f"report the access to channel {channel}")
    except BmcCommandError:
        return None
    return data[0] & 0x3F, data[1] & 0x0F


def open_lan_access(bmc, channel: int, settings: int) -> None:
    """IPMI over this LAN always available, up to ADMINISTRATOR, now and after a restart of the BMC (section 22.22)."""
    wanted = (settings & 0x38) | ALWAYS_AVAILABLE
    for where in (0x40, 0x80):  # kept settings, then the ones in use
        data = bytes([channel, where | wanted, where | ADMINISTRATOR])
        bmc.raw(0x06, 0x40, data, what=f"allow IPMI over LAN on channel {channel}")
