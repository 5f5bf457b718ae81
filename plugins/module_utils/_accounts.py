# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of an installed system that does not run: its tables are edited as text, as useradd of its own would do it."""

from __future__ import annotations

import os
import shutil
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._installed_system import FIRST_USER, LOCKED, InstalledSystem

SUBORDINATE_IDS = 65536
FIRST_SUBORDINATE = 100000
SUDOERS = "/etc/sudoers.d/90-metalpool"


class AccountProblem(Exception):
    """A user cannot be made; the text says why."""


class Account(t.NamedTuple):
    """A user who may log in. Without a hash the password is locked; C(sudo) asks for no password."""

    name: str
    ssh_keys: t.Sequence[str]
    password_hash: str | None
    sudo: bool


def add_accounts(system: InstalledSystem, accounts: t.Sequence[Account]) -> None:
    """Make the users with home directory, keys, password and sudo.

    :raises AccountProblem: the image has an account of that name
    """
    for account in accounts:
        _add(system, account)
    rules = [f"{account.name} ALL=(ALL) NOPASSWD:ALL\n" for account in accounts if account.sudo]
    system.remove(SUDOERS)
    if rules:
        system.write(SUDOERS, "# Written by Metalpool.\n" + "".join(rules), 0o440)


def _add(system: InstalledSystem, account: Account) -> None:
    name = account.name
    if _row(system, "/etc/passwd", name):
        raise AccountProblem(f"user: {name} is an account of the image itself; choose another name.")
    number = _free_number(system, "/etc/passwd", "/etc/group")
    group = _row(system, "/etc/group", name)
    if group is None:
        group = [name, "x", number, ""]
        _append(system, "/etc/group", group)
        _append(system, "/etc/gshadow", [name, LOCKED, "", ""])
    home = "/home/" + name
    _append(system, "/etc/passwd", [name, "x", number, group[2], "", home, "/bin/bash"])
    today = str(int(time.time() // 86400))
    _append(system, "/etc/shadow", [name, account.password_hash or LOCKED, today, "0", "99999", "7", "", "", ""])
    for table in ("/etc/subuid", "/etc/subgid"):
        if os.path.exists(system.path(table)):
            _append(system, table, [name, _free_range(system, table), str(SUBORDINATE_IDS)])
    if account.sudo:
        _join(system, "sudo", name)
    _make_home(system, home, int(number), int(group[2]), account.ssh_keys)


def _rows(system: InstalledSystem, table: str) -> list[list[str]]:
    return [line.split(":") for line in system.read(table).splitlines() if line]


def _row(system: InstalledSystem, table: str, name: str) -> list[str] | None:
    return next((row for row in _rows(system, table) if row[0] == name), None)


def _store(system: InstalledSystem, table: str, rows: t.Sequence[t.Sequence[str]]) -> None:
    system.write(table, "".join(":".join(row) + "\n" for row in rows), 0o640 if "shadow" in table else 0o644)


def _append(system: InstalledSystem, table: str, row: t.Sequence[str]) -> None:
    _store(system, table, [*_rows(system, table), list(row)])


def _free_number(system: InstalledSystem, *tables: str) -> str:
    """The first number from 1000 that neither a user nor a group has."""
    taken = {row[2] for table in tables for row in _rows(system, table) if len(row) > 2}
    number = FIRST_USER
    while str(number) in taken:
        number += 1
    return str(number)


def _free_range(system: InstalledSystem, table: str) -> str:
    """Where the next block of subordinate numbers begins."""
    ends = [int(row[1]) + int(row[2]) for row in _rows(system, table) if len(row) == 3 and row[1].isdigit() and row[2].isdigit()]
    return str(max([FIRST_SUBORDINATE, *ends]))


def _join(system: InstalledSystem, group: str, name: str) -> None:
    """Make a user a member of a group, if there is such a group."""
    for table in ("/etc/group", "/etc/gshadow"):
        rows = _rows(system, table)
        for row in rows:
            if row[0] == group and len(row) == 4:
                row[3] = ",".join(dict.fromkeys([*filter(None, row[3].split(",")), name]))
        _store(system, table, rows)


def _make_home(system: InstalledSystem, name: str, owner: int, group: int, ssh_keys: t.Sequence[str]) -> None:
    """The home directory from the image's skeleton, with the keys; all of it the user's own."""
    home = system.path(name)
    skeleton = system.path("/etc/skel")
    if os.path.isdir(skeleton) and not os.path.isdir(home):
        shutil.copytree(skeleton, home, symlinks=True)
    os.makedirs(home, exist_ok=True)
    os.chmod(home, 0o700)
    folder = system.path(name + "/.ssh")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o700)
    system.remove(name + "/.ssh/authorized_keys")
    system.write(name + "/.ssh/authorized_keys", "".join(key.strip() + "\n" for key in ssh_keys), 0o600)
    for directory, folders, files in os.walk(home):
        for entry in [".", *folders, *files]:
            os.lchown(os.path.join(directory, entry), owner, group)
