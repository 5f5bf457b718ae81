"""Secrets at rest: Fernet keys in a file of mode 0600 outside the database; the first encrypts, all decrypt."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """The key file is missing or open to others, or does not fit what is stored."""


class Vault:
    """Encrypts and decrypts short texts with the keys of one file, one key a line, the newest first."""

    def __init__(self, key_file: Path) -> None:
        try:
            status = key_file.stat()
            keys = key_file.read_text(encoding="ascii").split()
        except OSError as error:
            raise VaultError(f"{key_file}: {error.strerror}; `inventory-service init` makes it") from error
        if status.st_mode & 0o077:
            raise VaultError(f"{key_file} can be read by others: chmod 600 {key_file}")
        if not keys:
            raise VaultError(f"{key_file} holds no key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str) -> str:
        try:
            return self._fernet.decrypt(token.encode("ascii")).decode()
        except InvalidToken as error:
            raise VaultError("a stored secret fits none of the keys in the key file") from error

    def encrypt_document(self, document: dict[str, Any]) -> str:
        return self.encrypt(json.dumps(document))

    def decrypt_document(self, token: str | None) -> dict[str, Any]:
        """The document again; an empty one when nothing is stored."""
        document: dict[str, Any] = json.loads(self.decrypt(token)) if token else {}
        return document

    def rotate(self, token: str) -> str:
        """The same secret under the newest key."""
        return self._fernet.rotate(token.encode("ascii")).decode("ascii")


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def create_key_file(path: Path) -> bool:
    """Make the key file unless it exists; says whether it did."""
    if path.exists():
        return False
    write_secret(path, Fernet.generate_key().decode("ascii") + "\n")
    return True
