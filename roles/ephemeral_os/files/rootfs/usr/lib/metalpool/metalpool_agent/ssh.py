"""The SSH server's host key, and the keys that may log in."""

from __future__ import annotations

import _socket as socket
import os
import time

from metalpool_agent.files import read

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
AUTHORIZED_KEYS = "/root/.ssh/authorized_keys"
PORT = 22


def host_key() -> str:
    """The public host key, type and key only; waits until the SSH server's start has made it."""
    while not (key := read(HOST_KEY)):
        time.sleep(0.05)
    return " ".join(key.split()[:2])


def authorize(keys: list[str], path: str = AUTHORIZED_KEYS) -> None:
    """Let these keys, and no others, log in."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{key.strip()}\n" for key in keys)
    os.rename(new, path)


def wait_for_server() -> None:
    """Wait until the SSH port answers."""
    while True:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            probe.connect(("127.0.0.1", PORT))
            return
        except OSError:
            time.sleep(0.05)
        finally:
            probe.close()
