"""``make bench-pool``: measures the pool and writes docs/benchmarks-pool.json; ends by itself within its time limit."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import floors, ironic, queue
from tests.benchmarks.mariadb import MariaDb
from tests.benchmarks.pools import Pool
from tests.service.postgresql import Cluster

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "benchmarks-pool.json"
CLIENTS = 32
PEERS_CLIENTS = (1, 8)
PEERS_NODES = 1_000
PEERS_SECONDS = 10.0
IMPOSSIBLE = {"mem": "64G", "cpus": 1024, "zone": "row-1"}
IMPOSSIBLE_TAGGED = IMPOSSIBLE | {"tag": "gpu"}
"""Alike nodes do not share their tags, so that each is judged by itself."""
HARD_TO_FIND = {
    "link_speed": {"link_speed": "100G"},
    "disks": {"disks": ["480G ssd", "12 x hdd 10T.."]},
    "gpus": {"gpus": 8},
    "tag": {"tag": "gpu"},
}
"""Constraints that only the dearest nodes meet."""


class Bench:
    """One run: what was measured so far, and what goes wrong stops its own part only."""

    def __init__(self, sizes: list[int], databases: list[str], cache: Path, file: Path) -> None:
        self.sizes, self.databases, self.cache, self._file = sizes, databases, cache, file
        self.results: dict[str, Any] = {}
        self.failed: list[str] = []
        self._started = time.monotonic()

    def part(self, name: str, measure: Callable[[], Any]) -> Any:
        """Measure something, keep it, say so."""
        before = time.monotonic()
        try:
            found = measure()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {str(error)[:600]}"}
            self.failed.append(name)
        self.results[name] = found
        self._file.write_text(json.dumps(self.results, indent=1) + "\n")
        print(f"{time.monotonic() - self._started:6.0f} s  {name} ({time.monotonic() - before:.0f} s): {json.dumps(found)}", flush=True)
        return found

    def run(self, work: Path) -> None:
        for database in self.databases:
            cluster = durable_cluster() if database == "PostgreSQL" else None
            try:
                for nodes in self.sizes:
                    url = cluster.create() if cluster else ""
                    self._pool(f"{database}, {nodes} nodes", Pool, work / f"{database}-{nodes}", url, nodes)
            finally:
                if cluster:
                    cluster.remove()
        for database in ("SQLite", "MariaDB"):
            self.part(f"Ironic on {database}", lambda database=database: self._peer(database))
        self.part("ratios", lambda: ratios(self.results, self.sizes, self.databases))

    def _pool(self, name: str, make: Callable[..., Pool], directory: Path, url: str, nodes: int) -> None:
        made: list[Pool] = []
        self.part(f"{name}: seeded", lambda: made.append(make(directory, url, nodes)))
        if not made:
            return
        pool = made[0]
        pool.service.start()
        try:
            self.part(f"{name}: {CLIENTS} clients", lambda: pool.allocations(1_000, CLIENTS).figures())
            if nodes == PEERS_NODES:
                for clients in PEERS_CLIENTS:
                    self.part(f"{name}: {clients} clients", lambda clients=clients: pool.allocations(300, clients).figures())
            if nodes == max(self.sizes):
                self._hard(name, pool)
            if nodes == sorted(self.sizes)[len(self.sizes) // 2]:
                self.part(f"{name}: listing", lambda: listing(pool))
                self.part(f"{name}: queue", lambda: queue.measure(pool, 1_000))
        finally:
            pool.service.stop()
        self.part(f"{name}: floor", lambda: pool.floor(CLIENTS))
        pool.close()

    def _hard(self, name: str, pool: Pool) -> None:
        self.part(f"{name}: 1 clients", lambda: pool.allocations(200, 1).figures())
        for clients in (1, CLIENTS):
            self.part(f"{name}: refusals, {clients} clients", lambda clients=clients: pool.refusals(100, clients, IMPOSSIBLE).figures())
        self.part(f"{name}: refusals by a tag, 1 clients", lambda: pool.refusals(100, 1, IMPOSSIBLE_TAGGED).figures())
        for what, wanted in HARD_TO_FIND.items():
            self.part(f"{name}: by {what}, 1 clients", lambda wanted=wanted: pool.allocations(60, 1, wanted).figures())

    def _peer(self, database: str) -> None:
        name = f"Ironic on {database}, {PEERS_NODES} nodes"
        server: MariaDb | None = None
        try:
            programs = ironic.prepare(self.cache)
            server = MariaDb() if database == "MariaDB" else None
            peer = ironic.Ironic(programs, PEERS_NODES, server.create("ironic") if server else None)
        except BaseException:
            if server:
                server.remove()
            raise
        try:
            for clients in PEERS_CLIENTS:
                self.part(f"{name}: {clients} clients", lambda clients=clients: peer_figures(peer, clients))
        finally:
            peer.remove()
            if server:
                server.remove()


def durable_cluster() -> Cluster:
    """A PostgreSQL whose commits reach the disk before they are answered."""
    cluster = Cluster()
    cluster.stop()
    cluster.durable = True
    cluster.start()
    return cluster


def peer_figures(peer: ironic.Ironic, clients: int) -> dict[str, float]:
    load, failed = peer.load(clients, PEERS_SECONDS)
    return load.figures() | {"failed": failed}


def listing(pool: Pool) -> dict[str, float]:
    size, over_http, alone = pool.listing()
    return {
        "bytes": size,
        "MB a second": round(size / over_http / 1e6, 1),
        "MB a second by the SQL alone": round(size / alone / 1e6, 1),
        "share": round(alone / over_http, 2),
    }


def ratios(results: dict[str, Any], sizes: list[int], databases: list[str]) -> dict[str, float]:
    """What the targets are about; a part that failed leaves its ratios out."""
    found: dict[str, float] = {}

    def ratio(what: str, part: str, of: str, figure: str = "a second") -> None:
        one, other = results.get(part, {}), results.get(of, {})
        if one and other and one.get(figure) and other.get(figure):
            found[what] = round(one[figure] / other[figure], 4)

    for database in databases:
        least, most = min(sizes), max(sizes)
        for nodes in sizes:
            own = f"{database}, {nodes} nodes"
            ratio(f"{own}: allocations against their floor (at least 0.33)", f"{own}: {CLIENTS} clients", f"{own}: floor")
        big, small = f"{database}, {most} nodes", f"{database}, {least} nodes"
        ratio(f"{database}: {most} nodes against {least} (flat: 1)", f"{big}: {CLIENTS} clients", f"{small}: {CLIENTS} clients")
        for clients in (1, CLIENTS):
            ratio(f"{database}: p99 of a refusal against that of an allocation, {most} nodes, {clients} clients (at most 10)",
                  f"{big}: refusals, {clients} clients", f"{big}: {clients} clients", "p99 ms")  # fmt: skip
        ratio(f"{database}: p99 of a refusal by a tag against that of an allocation, {most} nodes, 1 clients (at most 10)",
              f"{big}: refusals by a tag, 1 clients", f"{big}: 1 clients", "p99 ms")  # fmt: skip
        for what in HARD_TO_FIND:
            ratio(f"{database}: p99 of a pick by {what} against a plain one, {most} nodes",
                  f"{big}: by {what}, 1 clients", f"{big}: 1 clients", "p99 ms")  # fmt: skip
        for peer in ("SQLite", "MariaDB"):
            for clients in PEERS_CLIENTS:
                own, theirs = f"{small}: {clients} clients", f"Ironic on {peer}, {PEERS_NODES} nodes: {clients} clients"
                ratio(f"{database} against Ironic on {peer}, {clients} clients: rate (at least 100)", own, theirs)
                ratio(f"{database} against Ironic on {peer}, {clients} clients: p99 (at most 0.01)", own, theirs, "p99 ms")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--databases", nargs="+", default=["SQLite", "PostgreSQL"], choices=["SQLite", "PostgreSQL"])
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/metalpool-bench"), help="keeps the peer's programs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seconds", type=int, default=900, help="the run ends by itself after so many")
    chosen = parser.parse_args()
    floors.installed()
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(chosen.seconds)
    chosen.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="metalpool-bench-"))
    bench = Bench(chosen.nodes, chosen.databases, chosen.cache, chosen.results)
    bench.results["machine"] = {"cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 2)}
    try:
        bench.run(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if bench.failed:
        print("failed:", *bench.failed, sep="\n  ")
    return 1 if bench.failed else 0


def _out_of_time(_signal: int, _frame: Any) -> None:
    raise SystemExit("the time is up")


if __name__ == "__main__":
    sys.exit(main())
