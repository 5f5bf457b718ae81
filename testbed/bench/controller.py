"""What operations cost the machine that runs the service and its worker."""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

from testbed.site import Site

TICKS = os.sysconf("SC_CLK_TCK")


def pss(pid: int | str) -> float:
    """Proportional set size of a process in MB (10^6 bytes): memory that it shares counts for its share."""
    with suppress(OSError):
        if found := re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M):
            return int(found[1]) * 1024 / 1e6
    return 0.0


def cpu(site: Site) -> float:
    """CPU seconds of service and worker so far, with all their children that have ended."""
    ticks = 0
    for program in ("inventory", "worker"):
        for pid in site.pids(program):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])  # proc(5): utime, stime, cutime, cstime
    return ticks / TICKS


def idle_memory(site: Site) -> dict[str, float]:
    """Memory of service and worker while nothing runs, in MB."""
    found = {f"{program} MB": sum(map(pss, site.pids(program))) for program in ("inventory", "worker")}
    found["together MB"] = sum(found.values())
    return {name: round(value, 1) for name, value in found.items()}


class Peak:
    """Samples the memory of all processes that carry operations out, twice a second; ``megabytes`` is the most there was."""

    def __init__(self, site: Site) -> None:
        self._marker = f"{site.state}/rack/runs/".encode()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.5):
            self.megabytes = max(self.megabytes, sum(pss(process.name) for process in Path("/proc").glob("[0-9]*") if self._ours(process)))

    def _ours(self, process: Path) -> bool:
        with suppress(OSError):
            return self._marker in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        return False
