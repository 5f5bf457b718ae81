"""The agent's side of the boot protocol: check-in, enlist, wait for acceptance."""

from __future__ import annotations

import time

from metalpool_agent import http_client
from metalpool_agent.console import say

CHECK_IN_LIMIT = 600
ENLIST_LIMIT = 2 * 3600
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
ANSWER_LIMIT = 90


class Refused(Exception):
    """The service will not have this machine, or not in time: power off."""


class Pause:
    """Waits between attempts: 1, 2, 4 ... 15 seconds."""

    def __init__(self) -> None:
        self.seconds = SHORTEST_PAUSE

    def wait(self) -> None:
        """Sleep, and sleep longer the next time."""
        time.sleep(self.seconds)
        self.seconds = min(2 * self.seconds, LONGEST_PAUSE)


def ask(url: str, document: dict) -> tuple[int, dict]:
    """POST, with a status of 0 when the service did not answer."""
    try:
        return http_client.post(url, document, ANSWER_LIMIT)
    except OSError as error:
        say(f"no answer from {url}: {error}")
        return 0, {}


def transient(status: int) -> bool:
    """Whether it is the service's or the network's fault, or a matter of patience."""
    return status == 0 or status == 429 or status >= 500


def check_in(url: str, describe, clock=time.monotonic) -> list[str]:
    """Check in until the service lets us; the keys that may log in.

    describe: gives the document anew for each attempt, because the nonce may reach the BMC late.
    Raises Refused when the service refused for ten minutes, or says that this boot is over (410).
    """
    deadline = clock() + CHECK_IN_LIMIT
    pause = Pause()
    while True:
        status, answer = ask(f"{url}/checkin", describe())
        keys = answer.get("authorized_keys")
        if status == 200 and keys:
            return keys
        if status == 410:
            raise Refused("the service says that this boot is over")
        if transient(status):
            deadline = max(deadline, clock() + LONGEST_PAUSE)
        elif clock() > deadline:
            raise Refused(f"check-in was refused for {CHECK_IN_LIMIT} s, at last with status {status}")
        say(f"check-in: status {status} {answer.get('detail', '')}; trying again")
        pause.wait()


def enlist(url: str, document: dict) -> str:
    """Say what this machine is; the secret by which it may ask what became of that."""
    pause = Pause()
    while True:
        status, answer = ask(f"{url}/enlist", document)
        if status in (200, 201) and answer.get("claim"):
            say(f"enlisted as {answer.get('node')}; waiting for acceptance")
            return answer["claim"]
        if status == 410:
            raise Refused("the service does not want this machine")
        say(f"enlist: status {status} {answer.get('detail', '')}; trying again")
        pause.wait()


def wait_for_acceptance(url: str, claim: str, clock=time.monotonic) -> tuple[str, str]:
    """Boot id and one-shot token, once somebody accepted the machine. Raises Refused after two hours or on 410."""
    deadline = clock() + ENLIST_LIMIT
    pause = Pause()
    while clock() < deadline:
        asked = clock()
        status, answer = ask(f"{url}/enlist/wait", {"claim": claim})
        if status == 200 and answer.get("boot"):
            return answer["boot"], answer.get("token", "")
        if status == 410:
            raise Refused("the service does not want this machine")
        if status != 204 or clock() - asked < SHORTEST_PAUSE:
            pause.wait()
        else:
            pause = Pause()
    raise Refused(f"nobody accepted this machine within {ENLIST_LIMIT} s")
