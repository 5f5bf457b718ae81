"""A MariaDB of one's own: Debian's server in a temporary directory, on a Unix socket, gone with the process that started it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.service.world import until


class MariaDb:
    """One server with its data; commits reach the disk, as by default."""

    def __init__(self) -> None:
        assert shutil.which("mariadbd"), "MariaDB's server is not installed: apt-get install mariadb-server"
        self.directory = Path(tempfile.mkdtemp(prefix="metalpool-mariadb-"))
        self._as = ["--user=mysql"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.directory, "mysql", "mysql")
        data = f"--datadir={self.directory / 'data'}"
        install = ["mariadb-install-db", "--no-defaults", data, *self._as, "--auth-root-authentication-method=normal"]
        subprocess.run(install, check=True, capture_output=True, cwd="/")
        self._server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "mariadbd", "--no-defaults", data, *self._as, "--skip-networking",
             f"--socket={self._socket}", f"--log-error={self.directory / 'data' / 'log'}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        until(lambda: self._socket.exists() and self._ask("SELECT 1") == 0, 60)

    @property
    def _socket(self) -> Path:
        return self.directory / "socket"

    def _ask(self, statement: str) -> int:
        command = ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "-e", statement]
        return subprocess.run(command, check=False, capture_output=True).returncode

    def create(self, name: str) -> str:
        """The URL of a new database."""
        assert self._ask(f"CREATE DATABASE {name} CHARACTER SET utf8mb3") == 0
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self._socket}&charset=utf8mb3"

    def remove(self) -> None:
        """Stop the server, and leave nothing."""
        self._server.terminate()
        self._server.wait(60)
        shutil.rmtree(self.directory)
