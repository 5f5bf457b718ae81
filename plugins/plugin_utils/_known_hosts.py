# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's file of host keys that nodes reported to the service. Private to this collection.

The service got each key from the node itself over a boot that had proved what it is, so a first connection that checks
against this file trusts nobody on first use.
"""
from __future__ import annotations

import fcntl
import os
import re
import shlex
import tempfile
import typing as t
from collections.abc import Iterable

DEFAULT_PATH = "~/.cache/metalpool/known_hosts"
ADDRESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:%_-]*", re.ASCII)


class Host(t.NamedTuple):
    """A host's address and the keys that it may show, each as ``type base64``."""

    address: str
    keys: tuple[str, ...]


def ssh_arguments(path: str) -> str:
    """Arguments that make ssh accept the keys in the file and no others, for ansible_ssh_common_args."""
    quoted = f'"{path}"' if any(character.isspace() for character in path) else path
    options = (f"UserKnownHostsFile={quoted}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes")
    return " ".join(f"-o {shlex.quote(option)}" for option in options)


def write(path: str, source: str, hosts: Iterable[Host], keep_source: bool = False) -> bool:
    """Put the keys of hosts into the file, at once and readable by the user only.

    Keys that the same source gave before are dropped, and so are keys that anybody gave for one of the addresses:
    an address that a node had before may belong to another one now.

    :param path: the file; its directory is made when it is missing
    :param source: who says so, such as the service's URL; it becomes the comment of the lines
    :param keep_source: keep what the source said of other addresses, and lines that say the same already, whoever wrote them
    :returns: whether the file changed
    :raises ValueError: an address or a key would spoil the file
    """
    hosts = list(hosts)
    for host in hosts:
        if not ADDRESS.fullmatch(host.address):
            raise ValueError(f"{host.address!r} is not an address")
    path = os.path.expanduser(path)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = _read(path)
        if keep_source:
            hosts = [host for host in hosts if _keys_of(before, host.address) != {_key(key) for key in host.keys}]
        replaced = {host.address for host in hosts}
        kept = [
            line
            for line in before
            if line.split(" ", 1)[0] not in replaced and (keep_source or not line.endswith(f" {source}"))
        ]
        new = [f"{host.address} {_key(key)} {source}" for host in hosts for key in host.keys]
        after = sorted(kept + new)
        if after == before:
            return False
        _replace(path, after)
        return True


def _keys_of(lines: list[str], address: str) -> set[str]:
    """The keys that stand in the file for an address."""
    words = [line.split(" ", 3) for line in lines]
    return {" ".join(word[1:3]) for word in words if word[0] == address}


def _key(key: str) -> str:
    """Type and base64 of a key, without its comment.

    :raises ValueError: it is not one line of two or more words, so that it would spoil the file
    """
    words = key.split()
    if len(words) < 2 or len(key.strip().splitlines()) != 1:
        raise ValueError(f"{key!r} is not an SSH host key")
    return f"{words[0]} {words[1]}"


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read().splitlines()
    except FileNotFoundError:
        return []


def _replace(path: str, lines: list[str]) -> None:
    """Write a new file beside the old one and rename it, so that ssh never reads half of it. Its mode is 0600."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".known_hosts")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.writelines(f"{line}\n" for line in lines)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
