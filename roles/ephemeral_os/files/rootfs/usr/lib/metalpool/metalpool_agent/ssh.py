"""The SSH server's host key, and the keys that may log in."""

from __future__ import annotations

import os
import pathlib
import socket
import time

HOST_KEY = pathlib.Path("/etc/ssh/ssh_host_ed25519_key.pub")
AUTHORIZED_KEYS = pathlib.Path("/root/.ssh/authorized_keys")
PORT = 22


def host_key() -> str:
    """The public host key, type and key only; waits until the SSH server's start has made it."""
    while not HOST_KEY.exists():
        time.sleep(0.05)
    return " ".join(HOST_KEY.read_text().split()[:2])


def authorize(keys: list[str], path: pathlib.Path = AUTHORIZED_KEYS) -> None:
    """Let these keys, and no others, log in."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{key.strip()}\n" for key in keys)
    new.rename(path)


def wait_for_server() -> None:
    """Wait until the SSH port answers."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
