"""The floors: the service's own statements, said to the database without the service."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql as psycopg_sql
from sqlalchemy import make_url

from tests.benchmarks.recording import Recording, Statement

_PLACE = re.compile("%s")
_TAKES = "UPDATE node SET"
_EXPRESSIONS = {
    "key": "('bench-' || :client_id || '-' || :own)",
    "name": "('b-' || :own)",
    "node_name": ":picked_name::text",
    "node_id": ":picked_id::bigint",
    "allocation_id": ":made_id::bigint",
}
"""What stands in pgbench's script for the values that belong to one request."""


def _pgbench_script(recording: Recording) -> str:
    lines = [r"\set own random(1, 9000000000000000)", r"\set picked_id 0"]
    last = len(recording.statements) - 1
    takes = [place for place, one in enumerate(recording.statements) if _TAKES in one.sql]
    for place, one in enumerate(recording.statements):
        values = iter(one.parameters)
        line = _PLACE.sub(lambda _found, values=values: _value(next(values), recording.own), one.sql).replace("%%", "%")
        line = " ".join(line.split())
        if line.startswith("INSERT INTO allocation ") and " RETURNING " not in line:
            line += " RETURNING allocation.id"
        if place == last:
            lines.append(r"\endif")
        if place in takes:
            line += r" \aset picked_"
            if place != takes[0]:  # the service looked further, because it had found none
                line = f"\\if :picked_id = 0\n{line}\n\\endif"
            if place == takes[-1]:  # none is left for whom all that fit are held by other clients at this moment
                line += "\n\\if :picked_id <> 0"
        elif line.startswith("INSERT INTO allocation "):
            line += r" \gset made_"
        else:
            line += ";"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _value(value: Any, own: dict[str, Any]) -> str:
    for name, theirs in own.items():
        if value == theirs and type(value) is type(theirs):
            return _EXPRESSIONS[name]
    literal = psycopg_sql.Literal(value).as_string(None)
    if ":" not in literal:  # pgbench takes what follows a colon for the name of a variable, even between quotes
        return literal
    text, _cast, kind = literal.rpartition("::")
    text = text if _cast else literal
    inside = text.strip()[1:-1].replace("''", "'")
    escaped = inside.replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\x3A")
    return f"E'{escaped}'" + (f"::{kind}" if _cast and re.fullmatch(r"[a-z ]+", kind) else "")


def pgbench(url: str, recordings: Sequence[Recording], clients: int, transactions: int) -> dict[str, float]:
    """Transactions a second of pgbench, with prepared statements, saying what was recorded."""
    where = make_url(url)
    with tempfile.TemporaryDirectory(prefix="metalpool-pgbench-") as directory:
        files = []
        for number, recording in enumerate(recordings):
            file = Path(directory) / f"{number}.sql"
            file.write_text(_pgbench_script(recording))
            files += ["-f", str(file)]
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(transactions // clients), *files]
        server = {"PGHOST": str(where.query["host"]), "PGUSER": "postgres", "PGDATABASE": str(where.database)}
        environment = {"PATH": os.environ["PATH"]} | server
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "abort" not in done.stderr, (done.stdout + done.stderr)[-3000:]
    rate = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    latency = re.search(r"latency average = ([0-9.]+) ms", done.stdout)
    assert rate and latency, done.stdout
    return {"a second": round(float(rate[1]), 1), "average ms": round(float(latency[1]), 2)}


def sqlite(database: Path, recordings: Sequence[Recording], transactions: int) -> dict[str, float]:
    """Transactions a second of plain sqlite3 in one process, saying what was recorded."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-8192"):
        connection.execute(f"PRAGMA {pragma}")
    run = time.time_ns()
    started = time.perf_counter()
    for number, recording in zip(range(transactions), itertools.cycle(recordings), strict=False):
        now = dict(recording.own) | {"key": f"bench-{run}-{number}", "name": f"b-{number}"}
        instead = {theirs: now[name] for name, theirs in recording.own.items() if isinstance(theirs, str)}
        numbers = dict.fromkeys(("node_id", "allocation_id"))
        takes = [place for place, one in enumerate(recording.statements) if _TAKES in one.sql]
        for place, one in enumerate(recording.statements):
            parameters = [
                numbers["node_id"] if value == recording.own["node_id"] and numbers["node_id"]
                else numbers["allocation_id"] if value == recording.own["allocation_id"] and numbers["allocation_id"]
                else instead.get(value, value) if isinstance(value, str) else value
                for value in one.parameters
            ]  # fmt: skip
            if _TAKES in one.sql and numbers["node_id"]:
                continue  # the service looked further, because it had found none
            if place > takes[-1] and not numbers["node_id"] and one.sql != "COMMIT":
                continue  # all that fit are held
            rows = connection.execute(_begin(recording.statements, place) if one.sql == "BEGIN" else one.sql, parameters).fetchall()
            if _TAKES in one.sql and rows:
                numbers["node_id"], instead[recording.own["node_name"]] = rows[0][0], rows[0][1]
            elif one.sql.startswith("INSERT INTO allocation "):
                (numbers["allocation_id"],) = connection.execute("SELECT last_insert_rowid()").fetchone()
    seconds = time.perf_counter() - started
    connection.close()
    return {"a second": round(transactions / seconds, 1), "average ms": round(seconds / transactions * 1000, 3)}


def _begin(statements: Sequence[Statement], place: int) -> str:
    ends = next(one.sql for one in statements[place + 1 :] if one.sql in ("COMMIT", "ROLLBACK"))
    return "BEGIN IMMEDIATE" if ends == "COMMIT" else "BEGIN"


def read(url: str, statements: Sequence[Statement]) -> float:
    """Seconds to run recorded queries and fetch all their rows, with the driver alone."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        where = make_url(url)
        connection = psycopg.connect(dbname=where.database, host=str(where.query["host"]), user="postgres")
    started = time.perf_counter()
    for one in statements:
        if one.sql not in ("BEGIN", "COMMIT", "ROLLBACK"):
            connection.execute(one.sql, one.parameters).fetchall()
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def installed() -> None:
    """
    :raises AssertionError: a program that the floors need is missing
    """
    assert shutil.which("pgbench"), "pgbench is not installed: apt-get install postgresql"
