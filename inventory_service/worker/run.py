"""One claimed operation: its playbook under ansible-runner, a heartbeat beside it, and its result at the end."""

import fcntl
import json
import logging
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import ansible_runner
import urllib3.exceptions

from inventory_service.worker.api import Api, ApiError, StaleEpoch
from inventory_service.worker.leftovers import RUN_VARIABLE, clean_up

HEARTBEAT_SECONDS = 5
"""A sixth of the service's default lease: several beats may be lost before the operation is."""

LINES_SECONDS = 1
"""How long a line of the log may wait for others to go with it."""

LINES_AT_ONCE = 1000
"""As many as the service takes in one request."""

PLAYBOOK = "metalpool.core.operations.{kind}"

SITE_VARIABLES = "variables.yml"
"""File in the site's directory that sets variables of the roles, such as ``deploy_boot_method``."""

log = logging.getLogger("metalpool.run")


class Reporter(threading.Thread):
    """Keeps the lease and forwards log lines. Both come from one thread, so that a slow service never holds up Ansible.

    ``ended`` is set when the run should stop: it was cancelled, or another attempt holds the operation.
    """

    def __init__(self, api: Api, claim: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.path = f"/operations/{claim['operation_id']}"
        self.epoch = claim["epoch"]
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.unsent: list[str] = []
        self.ended = threading.Event()
        self.finished = threading.Event()
        self.cancelled = False

    def run(self) -> None:
        beat = time.monotonic()
        while not self.ended.is_set():
            last = self.finished.wait(LINES_SECONDS)
            try:
                self.send_lines()
                if last:
                    return
                if time.monotonic() - beat < HEARTBEAT_SECONDS:
                    continue
                beat = time.monotonic()
                if self.api.post(f"{self.path}/heartbeat", {"epoch": self.epoch})["cancel"]:
                    self.cancelled = True
                    self.ended.set()
            except StaleEpoch as error:
                log.warning("operation was taken from this run: %s", error)
                self.ended.set()
            except (ApiError, urllib3.exceptions.HTTPError) as error:
                log.warning("heartbeat not answered: %s", error)

    def send_lines(self) -> None:
        """Forward the lines that have gathered, in order; what the service did not take is kept for the next time."""
        while not self.lines.empty():
            self.unsent.append(self.lines.get())
        while self.unsent:
            self.api.post(f"{self.path}/log", {"epoch": self.epoch, "lines": self.unsent[:LINES_AT_ONCE]})
            del self.unsent[:LINES_AT_ONCE]


class Outcome:
    """What the events of a run tell: log lines for people, and the first failure that nothing rescued."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.failure = ""

    def event(self, event: dict[str, Any]) -> bool:
        """Take one event of ansible-runner. False keeps it out of the artifacts: results may be large."""
        kind, data = event.get("event", ""), event.get("event_data", {})
        if kind == "playbook_on_task_start":
            self.reporter.lines.put(f"TASK {data.get('task', '')}")
        elif kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            result = data.get("res") or {}
            message = str(result.get("msg") or result.get("stderr") or "no message")
            self.failure = f"{data.get('task', 'task')}: {message}"
            self.reporter.lines.put(f"FAILED {self.failure}")
        return False


def run_playbook(directory: Path, kind: str, reporter: Reporter, site: Path) -> tuple[str, str]:
    """Run the operation's playbook.

    :param site: the site's own directory, see :data:`SITE_VARIABLES`
    :return: outcome (``succeeded``, ``failed`` or ``canceled``) and, for a failure, its reason.
    """
    outcome = Outcome(reporter)
    (directory / "project").mkdir(exist_ok=True)
    result = ansible_runner.run(
        private_data_dir=str(directory),
        playbook=PLAYBOOK.format(kind=kind),
        inventory="localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'",
        cmdline=" ".join(f"-e @{file}" for file in (site / SITE_VARIABLES, directory / "claim.json") if file.exists()),
        settings={"pexpect_timeout": 1},  # how often it looks whether to stop, in seconds
        envvars={
            RUN_VARIABLE: str(directory),
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
            "ANSIBLE_SSH_PIPELINING": "True",
            "ANSIBLE_TIMEOUT": "30",  # seconds until an SSH server has said its banner; a busy machine takes longer than the usual 10
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory / "cp"),
            "ANSIBLE_GATHERING": "explicit",
            "ANSIBLE_NOCOLOR": "True",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
        },
        event_handler=outcome.event,
        cancel_callback=reporter.ended.is_set,
        quiet=True,
        suppress_env_files=False,
    )
    if result.status == "successful":
        return "succeeded", ""
    if result.status == "canceled":
        return "canceled", ""
    return "failed", outcome.failure or f"ansible-playbook ended with {result.rc}: {tail(result)}"


def tail(result: Any) -> str:
    """The last lines that ansible-playbook printed: the reason when it never came to a task."""
    lines = result.stdout.read().strip().splitlines() if result.stdout else []
    return " ".join(line.strip() for line in lines[-3:]) or "no output"


def terminate(signum: int, frame: FrameType | None) -> None:
    """Stop without a result: the lease runs out and the operation goes on elsewhere."""
    raise SystemExit(1)


def main(directory: Path) -> None:
    """Carry out the operation whose claim lies in ``directory``, then remove the directory with its secrets."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, terminate)
    with (directory / "claim.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        document = json.load(file)
        claim, connection = document["metalpool_claim"], document["metalpool_api"]
        api = Api(connection["url"], Path(connection["token_file"]), Path(connection["ca_file"]) if "ca_file" in connection else None)
        reporter = Reporter(api, claim)
        reporter.start()
        try:
            try:
                outcome, reason = run_playbook(directory, claim["kind"], reporter, Path(document["site_hooks_directory"]))
            finally:
                clean_up(directory)
            reporter.finished.set()
            reporter.join(30)
            if reporter.cancelled or outcome != "canceled":
                api.post(f"{reporter.path}/result", {
                    "epoch": claim["epoch"],
                    "outcome": "cancelled" if reporter.cancelled else outcome,
                    "reason": reason or ("cancelled on request" if reporter.cancelled else ""),
                })
        except StaleEpoch:
            log.warning("operation %s has ended or moved on; nothing to report", claim["operation_id"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
