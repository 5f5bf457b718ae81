# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH public keys from files, as users have them. Private to this collection."""
from __future__ import annotations

import os

DEFAULT_FILES = ("~/.ssh/id_ed25519.pub", "~/.ssh/id_ecdsa.pub", "~/.ssh/id_rsa.pub", "~/.ssh/id_ed25519_sk.pub")


class KeyFileError(Exception):
    """A file is not one of public keys; the text says which and why."""


def read_keys(path: str) -> list[str]:
    """The public keys in a file, one a line; empty lines and lines with # are passed over.

    :raises KeyFileError: the file cannot be read, has no key, or is a private key
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as handle:
            text = handle.read()
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyFileError(f"cannot read the SSH key file {path}: {exc}") from exc
    if "PRIVATE KEY" in text:
        raise KeyFileError(f"{path} is a private key, which stays where it is; give the public key, {path}.pub")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise KeyFileError(f"there is no SSH public key in {path}")
    return keys


def default_keys() -> list[str]:
    """The public keys in the usual places of the user who runs this."""
    return [key for path in DEFAULT_FILES if os.path.isfile(os.path.expanduser(path)) for key in read_keys(path)]
