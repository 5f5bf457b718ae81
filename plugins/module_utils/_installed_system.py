# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed system below its mount point: everything of the image's build that could let somebody in is taken out.

The files are edited as text, not by the image's own tools: those may be of another architecture.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import typing as t

FIRST_USER, LAST_USER = 1000, 59999  # login.defs: UID_MIN; above are nobody and dynamic users
ROOT_SSH = """# Written by Metalpool. cloud-init's own settings stand in a file that is read before this one.
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
DROP_IN = "etc/ssh/sshd_config.d/60-metalpool.conf"
LOCKED = "!"


class InstalledSystem:
    """An operating system that is mounted at C(root).

    Symbolic links of the image are never followed out of it: paths are resolved below the root.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)

    def path(self, name: str) -> str:
        """Where a path of the installed system is from here; its links are resolved inside it."""
        parts = [part for part in name.split("/") if part]
        current = self.root
        hops = 0
        while parts:
            part = parts.pop(0)
            if part == ".":
                continue
            if part == "..":
                current = os.path.dirname(current) if current != self.root else current
                continue
            step = os.path.join(current, part)
            if os.path.islink(step) and hops < 40:
                hops += 1
                target = os.readlink(step)
                if target.startswith("/"):
                    current = self.root
                parts = [word for word in target.split("/") if word] + parts
                continue
            current = step
        return current

    def read(self, name: str) -> str:
        try:
            with open(self.path(name), encoding="utf-8", errors="surrogateescape") as handle:
                return handle.read()
        except OSError:
            return ""

    def write(self, name: str, data: str | bytes, mode: int = 0o644) -> None:
        """Replace a file; a new one gets C(mode), an old one keeps its owner and mode. It is on the disk after the unmounting."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        content = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        old = os.stat(path) if os.path.exists(path) else None
        new = path + ".metalpool"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), old.st_mode & 0o7777 if old else mode)
            if old:
                os.fchown(stream.fileno(), old.st_uid, old.st_gid)
        os.replace(new, path)

    def remove(self, name: str) -> bool:
        """Remove a file or a whole folder; True when it was there."""
        parent, base = os.path.split(name.rstrip("/"))
        path = os.path.join(self.path(parent), base)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)
        else:
            return False
        return True

    def glob(self, folder: str, pattern: str) -> list[str]:
        """Names in a folder that fit, as paths of the installed system."""
        return [
            os.path.join(folder, os.path.basename(path))
            for path in sorted(glob.glob(os.path.join(glob.escape(self.path(folder)), pattern)))
        ]


def clean(system: InstalledSystem) -> list[str]:
    """Take the build's users, keys, passwords and identity out.

    :returns: what was taken out, a line each
    """
    done = _remove_users(system) + _lock_passwords(system)
    for name in system.glob("/etc/ssh", "ssh_host_*"):
        done += _removed(system, name)
    for name in (
        "/root/.ssh",
        "/root/.bash_history",
        "/etc/cloud/cloud-init.disabled",
        "/var/lib/dbus/machine-id",
        "/var/lib/systemd/random-seed",
        "/var/lib/systemd/credential.secret",
    ):
        done += _removed(system, name)
    # what cloud-init remembers of a boot of the image while it was built
    for name in system.glob("/var/lib/cloud", "*"):
        if os.path.basename(name) not in ("scripts", "seed"):
            done += _removed(system, name)
    if system.read("/etc/machine-id").strip() not in ("", "uninitialized"):
        done.append("emptied /etc/machine-id")
    if os.path.lexists(system.path("/etc/machine-id")):
        system.write("/etc/machine-id", "")
    return done


def _removed(system: InstalledSystem, name: str) -> list[str]:
    return ["removed " + name] if system.remove(name) else []


def _remove_users(system: InstalledSystem) -> list[str]:
    names = []
    for line in system.read("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) < 7 or not fields[2].isdigit() or fields[0] == "root":
            continue
        number = int(fields[2])
        # a second user with number 0 is a second root
        if FIRST_USER <= number <= LAST_USER or number == 0:
            names.append(fields[0])
            home = fields[5]
            if home.startswith(("/home/", "/var/home/")) and len(home.strip("/").split("/")) >= 2:
                system.remove(home)
    for name in names:
        for table in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
            for suffix in ("", "-"):
                _drop_user(system, f"/etc/{table}{suffix}", table, name)
        system.remove("/var/spool/cron/crontabs/" + name)
        system.remove("/var/spool/mail/" + name)
    for path in system.glob("/etc/sudoers.d", "*"):
        lines = system.read(path).splitlines(True)
        kept = [line for line in lines if not (line.split() and line.split()[0] in names)]
        if kept != lines:
            system.write(path, "".join(kept))
    return ["removed user " + name for name in names]


def _drop_user(system: InstalledSystem, path: str, table: str, name: str) -> None:
    text = system.read(path)
    if not text:
        return
    kept = []
    for line in text.splitlines():
        fields = line.split(":")
        if fields[0] == name:
            continue
        if table in ("group", "gshadow") and len(fields) == 4:
            # member lists: field 4, and the administrators of gshadow in field 3
            for index in (2, 3) if table == "gshadow" else (3,):
                fields[index] = ",".join(member for member in fields[index].split(",") if member and member != name)
            line = ":".join(fields)
        kept.append(line)
    new = "\n".join(kept) + "\n"
    if new != text:
        system.write(path, new)


def _lock_passwords(system: InstalledSystem) -> list[str]:
    """No account that is left has a password, root included."""
    done = []
    for path in ("/etc/shadow", "/etc/shadow-"):
        lines = system.read(path).splitlines()
        new = []
        for line in lines:
            fields = line.split(":")
            if len(fields) > 1 and fields[1][:1] not in ("!", "*"):
                fields[1] = LOCKED
                done.append("locked the password of " + fields[0])
            new.append(":".join(fields))
        if new != lines:
            system.write(path, "\n".join(new) + "\n")
    lines = system.read("/etc/passwd").splitlines()
    new = [re.sub(r"^([^:]+):[^:]*:", r"\1:x:", line) for line in lines]
    if new != lines:
        system.write("/etc/passwd", "\n".join(new) + "\n")
        done.append("moved passwords out of /etc/passwd")
    return list(dict.fromkeys(done))


def restrict_sshd(system: InstalledSystem) -> None:
    """No root, no passwords over SSH, unless cloud-init's settings (read before) say otherwise."""
    main = system.read("/etc/ssh/sshd_config")
    if not main:
        return
    if re.search(r"^\s*Include\s+/etc/ssh/sshd_config\.d/", main, re.MULTILINE | re.IGNORECASE):
        system.write(DROP_IN, ROOT_SSH, 0o600)
        return
    # an older sshd: the first value it reads counts, so ours go to the top of its one file
    lines = [line for line in main.splitlines() if not re.match(r"\s*(PermitRootLogin|PasswordAuthentication)\b", line, re.IGNORECASE)]
    system.write("/etc/ssh/sshd_config", "PermitRootLogin no\nPasswordAuthentication no\n" + "\n".join(lines) + "\n")


def write_seed(system: InstalledSystem, seed: dict[str, bytes], base: t.Any) -> None:
    """Put NoCloud's files and the base configuration in place; readable by root only, for they may hold a password's hash."""
    folder = "/var/lib/cloud/seed/nocloud"
    system.remove("/var/lib/cloud/seed")
    os.makedirs(system.path(folder), mode=0o700, exist_ok=True)
    for name, data in seed.items():
        system.write(f"{folder}/{name}", data, 0o600)
    system.write("/etc/cloud/cloud.cfg.d/99_metalpool.cfg", base, 0o600)
