"""Host keys that a node reported to the service over a boot that had proved what it is: ssh trusts them and no others."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from metalpool_cli.errors import Failure

ADDRESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:%_-]*", re.ASCII)


def write(allocation: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Write the file of one allocation, at once and readable by the user only; its path.

    :raises Failure: the allocation has no address or no keys, or they would spoil the file
    """
    address, keys = allocation["address"], allocation["host_keys"]
    if not address or not keys:
        raise Failure(
            f"{allocation['name']} is {allocation['state']}: it has an address and host keys once it is active. "
            f"metalpool watch {allocation['name']} shows how it gets there."
        )
    if not ADDRESS.fullmatch(address):
        raise Failure(f"{address!r} is not an address")
    base = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = os.path.join(base, "metalpool", "known_hosts.d")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, quote(allocation["name"], safe=""))
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".new")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{address} {_key(key)}\n" for key in keys)
    os.replace(temporary, path)
    return path


def ssh_options(path: str) -> Sequence[str]:
    """Options that make ssh accept the keys in the file and no others."""
    quoted = f'"{path}"' if any(character.isspace() for character in path) else path
    said = (f"UserKnownHostsFile={quoted}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "UpdateHostKeys=no")
    return [word for option in said for word in ("-o", option)]


def _key(key: str) -> str:
    """Type and base64 of a key, without its comment."""
    words = key.split()
    if len(words) < 2 or len(key.strip().splitlines()) != 1:
        raise Failure(f"{key!r} is not an SSH host key")
    return f"{words[0]} {words[1]}"
