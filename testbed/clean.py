"""``make demo-clean``: takes the site away, processes first, then network, then files."""

import shutil
import sys
from pathlib import Path

from testbed.demo import PROFILE
from testbed.progress import Progress
from testbed.site import Site

LOGS = Path("/var/log/metalpool")
ABSENT = {f"{role}_state": "absent" for role in ("virtual_lab", "boot_server", "inventory_service", "rack_worker")}


def clean(site: Site, progress: Progress) -> None:
    """Leave nothing of the site behind: no process, namespace, link or disk. Built images stay in the cache."""
    with progress.step("Worker, service and boot server ended"):
        site.playbook("testbed/playbooks/absent.yml", site.variables | ABSENT, on_line=progress.task)
    with progress.step("Virtual lab taken away"):
        site.playbook("metalpool.core.lab", site.variables | ABSENT, on_line=progress.task)
    shutil.rmtree(site.state, ignore_errors=True)
    for log in LOGS.glob(f"{site.name}-*.log"):
        log.unlink()


def main() -> int:
    site = Site()
    clean(site, Progress())
    if PROFILE.exists() and str(site.admin_token_file) in PROFILE.read_text():
        PROFILE.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
