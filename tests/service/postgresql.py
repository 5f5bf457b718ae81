"""A PostgreSQL of the tests' own: Debian's server in a temporary directory, on a Unix socket, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.service.world import until

_OWNER = "postgres"


def _programs() -> Path:
    """Where the newest PostgreSQL's programs are: Debian keeps them off the PATH, a directory for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL's server is not installed: apt-get install postgresql"
    return found[-1].parent


def _as_owner(*command: str | Path) -> list[str]:
    """The command as a user that PostgreSQL accepts; the server ends with the tests, even when they are killed."""
    words = [str(word) for word in command]
    dies_with_parent = ["setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() != 0:
        return [*dies_with_parent, *words]
    return [*dies_with_parent, "--reuid", _OWNER, "--regid", _OWNER, "--clear-groups", *words]


class Cluster:
    """One server with its data; databases are copies of a template, which takes a tenth of a second."""

    def __init__(self) -> None:
        """Make and start it."""
        self.directory = Path(tempfile.mkdtemp(prefix="metalpool-postgresql-"))
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._data = self.directory / "data"
        self.durable = False
        """Whether commits reach the disk before they are answered, as in production; looked at when it starts."""
        self._count = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._run("initdb", "--auth=trust", f"--username={_OWNER}", "--no-sync", "--locale=C.UTF-8", "-D", self._data)
        self.start()

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(_as_owner(_programs() / program, *arguments), check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "unix_socket_directories": str(self.directory),
            "listen_addresses": "",
            "max_connections": "200",
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._server = subprocess.Popen(
                _as_owner(_programs() / "postgres", "-D", self._data, *settings), stdout=log, stderr=log, cwd="/"
            )
        until(self._answers, 60)

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self.directory / "log").read_text()
        ready = [_programs() / "pg_isready", "-q", "-h", str(self.directory)]
        return subprocess.run(ready, check=False).returncode == 0

    def stop(self, mode: str = "fast") -> None:
        """Stop the server.

        :param mode: ``fast`` ends sessions and writes everything down; ``immediate`` is a crash
        """
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", self._data)
        assert self._server is not None
        self._server.wait(30)

    def remove(self) -> None:
        """Stop the server, and leave nothing."""
        if self._server is not None and self._server.poll() is None:
            self.stop("immediate")
        shutil.rmtree(self.directory)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={self.directory}"

    def create(self, template: str = "template0") -> str:
        """The URL of a new database, a copy of the template."""
        self._count += 1
        name = f"test{self._count}"
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Forget a database, even one that is in use."""
        self._administer(f'DROP DATABASE "{url.partition("?")[0].rpartition("/")[2]}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()
