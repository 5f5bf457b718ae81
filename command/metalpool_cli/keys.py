"""SSH public keys from files, as users have them."""

from __future__ import annotations

import os

from metalpool_cli.errors import Misused

DEFAULT_FILES = ("~/.ssh/id_ed25519.pub", "~/.ssh/id_ecdsa.pub", "~/.ssh/id_rsa.pub", "~/.ssh/id_ed25519_sk.pub")


def read_keys(path: str) -> list[str]:
    """The public keys in a file, one a line; empty lines and lines with # are passed over.

    :raises Misused: the file cannot be read, has no key, or is a private key
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"cannot read the SSH key file {path}: {error}") from error
    if "PRIVATE KEY" in text:
        raise Misused(f"{path} is a private key, which stays where it is; give the public key, {path}.pub")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise Misused(f"there is no SSH public key in {path}")
    return keys


def default_keys() -> list[str]:
    """The public keys in the usual places of whoever runs this."""
    return [key for path in DEFAULT_FILES if os.path.isfile(os.path.expanduser(path)) for key in read_keys(path)]
