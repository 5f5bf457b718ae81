"""The worker's loop: claim an operation of this rack, hand it to a process of its own, ask for the next one."""

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import urllib3.exceptions

from inventory_service.worker.api import Api, ApiError
from inventory_service.worker.leftovers import clean_up

CLAIM_WAIT_SECONDS = 25
"""How long the service may hold a claim request open."""

log = logging.getLogger("metalpool.worker")


class Worker:
    """Claims operations and keeps count of the processes that carry them out.

    :param variables: what every playbook gets beside its claim: ``metalpool_api``, ``metalpool_boot_url``, ``site_hooks_directory``.
    :param directory: where the worker's SSH key and the run directories live.
    :param parallel: operations at the same time, at most.
    """

    def __init__(self, api: Api, variables: dict[str, Any], rack: str, directory: Path, parallel: int) -> None:
        self.api = api
        self.variables = variables
        self.rack = rack
        self.directory = directory
        self.parallel = parallel
        self.running: dict[Path, subprocess.Popen[bytes]] = {}  # by run directory
        self.public_key = ensure_ssh_key(directory)

    def reap(self) -> None:
        """Forget the processes that have ended, and clean up after those that were killed."""
        for run_directory, process in list(self.running.items()):
            if process.poll() is not None:
                clean_up(run_directory)
                del self.running[run_directory]
                log.info("%s: process ended with %s", run_directory.name, process.returncode)

    def claim(self) -> dict[str, Any] | None:
        """The next operation of this rack, or None when there was none within the long poll."""
        body = {"wait": CLAIM_WAIT_SECONDS, "ssh_public_key": self.public_key, "heartbeat": True}
        answer: dict[str, Any] | None = self.api.post(f"/racks/{self.rack}/claims", body, timeout=CLAIM_WAIT_SECONDS + 15)
        return answer

    def start(self, claim: dict[str, Any]) -> None:
        """Write the claim where only its own process reads it, and start that process."""
        run_directory = Path(tempfile.mkdtemp(prefix=f"{claim['kind']}-", dir=self.directory / "runs"))
        private_json(run_directory / "claim.json", self.variables | {
            "metalpool_claim": claim,
            "metalpool_ssh_key": str(self.directory / "id_ed25519"),
            "metalpool_run_directory": str(run_directory),
        })
        log.info("%s: operation %s, %s of %s, epoch %s", run_directory.name, claim["operation_id"], claim["kind"], claim["node"]["name"],
                 claim["epoch"])
        self.running[run_directory] = subprocess.Popen(
            [sys.executable, "-m", "inventory_service.worker.run", str(run_directory)], start_new_session=True)

    def loop(self) -> NoReturn:
        """Work until told to stop. A service that does not answer is asked again; waiting loses nothing."""
        while True:
            self.reap()
            try:
                if len(self.running) >= self.parallel:
                    next(iter(self.running.values())).wait(1)
                elif (claim := self.claim()) is not None:
                    self.reap()  # it may be the next attempt of a run that was killed
                    self.start(claim)
            except subprocess.TimeoutExpired:
                continue
            except (ApiError, urllib3.exceptions.HTTPError) as error:
                log.warning("no claim: %s", error)
                signal.sigtimedwait([], 5)

    def end(self) -> None:
        """End what runs. Its lease runs out and the operation goes on with the next worker."""
        for process in self.running.values():
            process.terminate()
        for run_directory, process in self.running.items():
            process.wait(20)
            clean_up(run_directory)


def ensure_ssh_key(directory: Path) -> str:
    """Public key of this worker, made at its first start; the private half never leaves ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "runs").mkdir(exist_ok=True)
    (directory / "runs").chmod(0o700)
    key = directory / "id_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "metalpool-worker", "-f", str(key)], check=True)
    return key.with_suffix(".pub").read_text().strip()


def private_json(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` readable by its owner alone, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(document, file)


def remove_abandoned_runs(runs: Path) -> None:
    """Clean up after runs whose process died; a living one holds a lock on its claim."""
    for claim in runs.glob("*/claim.json"):
        with claim.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            clean_up(claim.parent)


def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """Leave the loop wherever it stands; a claim lost in that moment is handed out again when its lease ends."""
    raise SystemExit(0)


@click.command(context_settings={"auto_envvar_prefix": "METALPOOL_WORKER", "show_default": True})
@click.option("--url", default="https://127.0.0.1:8443", help="Root of the inventory service.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              help="File with the worker's token.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="CA that signed the service's certificate; default: the system's.")
@click.option("--boot-url", default="http://127.0.0.1", help="Root of the rack's boot server, as the nodes reach it.")
@click.option("--rack", default="local", help="Name of the rack this worker stands in.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=Path("/var/lib/metalpool/rack"),
              help="Where the worker keeps its SSH key and its run directories.")
@click.option("--site-directory", type=click.Path(file_okay=False, path_type=Path), default=Path("/etc/metalpool/site"),
              help="The site's own tasks, and variables.yml with variables of the roles.")
@click.option("--parallel", type=click.IntRange(1, 64), default=4, help="Operations at the same time, at most.")
def main(url: str, token_file: Path, ca_file: Path | None, boot_url: str, rack: str, directory: Path,
         site_directory: Path, parallel: int) -> None:
    """Claim the operations of one rack and run the collection's playbooks for them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    connection = {"url": url, "token_file": str(token_file.resolve())}
    if ca_file:
        connection["ca_file"] = str(ca_file.resolve())
    variables = {"metalpool_api": connection, "metalpool_boot_url": boot_url.rstrip("/"), "site_hooks_directory": str(site_directory)}
    worker = Worker(Api(url, token_file, ca_file), variables, rack, directory, parallel)
    remove_abandoned_runs(directory / "runs")
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    log.info("worker of %s at %s, at most %d operations at once", rack, url, parallel)
    try:
        worker.loop()
    finally:
        worker.end()


if __name__ == "__main__":
    main()
