# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One authenticated conversation with a BMC: locked, limited in time, always logged out.

pyghmi does the protocol (IPMI 2.0 over RMCP+). Its traps, and where each is met:

- it is not safe across fork: a module runs in a process of its own, and nothing else may import this file;
- the second session of a process fails with str credentials: they are passed as bytes;
- an answer that comes between two looks is noticed at the retransmit timer only: waits are cut short;
- ``IndexError`` from its queues, once in hundreds of sessions: what may be repeated is, once;
- a dead BMC is an exception with the text ``None``, and some calls may stall: own texts, own deadline;
- log-out is sent and not confirmed, which leaks a session slot when the packet is lost: sent again until answered.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.metalpool.core.plugins.module_utils._bmc_deadline import Deadline, DeadlineReached, time_limit
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    BmcAuthError,
    BmcBusy,
    BmcCommandError,
    BmcError,
    BmcTimeout,
    BmcUnreachable,
)
from ansible_collections.metalpool.core.plugins.module_utils._bmc_lock import (
    bmc_lock,
    default_lock_directory,
    lock_holder,
)

try:
    from pyghmi.exceptions import IpmiException, PyghmiException
    from pyghmi.ipmi import command as pyghmi_command
    from pyghmi.ipmi.private import session as pyghmi_session

    PYGHMI_IMPORT_ERROR = None
except ImportError:
    PYGHMI_IMPORT_ERROR = traceback.format_exc()

    class PyghmiException(Exception):  # type: ignore[no-redef]
        """Stands in for pyghmi's where it is not installed."""

    IpmiException = PyghmiException  # type: ignore[assignment,misc]


CLOSING_SECONDS = 1.0
"""Kept back from the deadline, for logging out."""
WAKE_SECONDS = 0.02
"""Longest single wait of pyghmi: a lost wake-up costs no more than this."""
BUSY_CODES = frozenset({0xC0, 0xC3, 0xD2})


def bmc_argument_spec() -> dict:
    """Options that every module has that speaks to a BMC over the LAN; documented in the fragment ``bmc``."""
    return {
        "kind": {"type": "str", "choices": ["ipmi"], "default": "ipmi"},
        "bmc_host": {
            "type": "str",
            "required": True,
            "aliases": ["address"],
            "fallback": (env_fallback, ["METALPOOL_BMC_HOST"]),
        },
        "bmc_port": {"type": "int", "default": 623, "fallback": (env_fallback, ["METALPOOL_BMC_PORT"])},
        "bmc_user": {"type": "str", "required": True, "fallback": (env_fallback, ["METALPOOL_BMC_USER"])},
        "bmc_password": {
            "type": "str",
            "required": True,
            "no_log": True,
            "fallback": (env_fallback, ["METALPOOL_BMC_PASSWORD"]),
        },
        "bmc_cipher_suite": {"type": "str", "choices": ["auto", "3", "17"], "default": "auto"},
        "bmc_lock_directory": {"type": "path", "fallback": (env_fallback, ["METALPOOL_BMC_LOCK_DIRECTORY"])},
        "timeout": {"type": "int", "default": 30, "fallback": (env_fallback, ["METALPOOL_BMC_TIMEOUT"])},
    }


@dataclass(frozen=True)
class BmcOptions:
    """Where a BMC is and how to log in.

    :param timeout: seconds that one conversation may take, waiting for its turn and logging out included.
    :param cipher_suite: ``17`` (SHA-256), ``3`` (SHA-1) or ``auto``: 17, then 3.
    """

    host: str
    user: str
    password: str
    port: int = 623
    timeout: float = 30
    cipher_suite: str = "auto"
    lock_directory: str = ""

    @property
    def where(self) -> str:
        return f"{self.host} port {self.port}"


def options_from(module: AnsibleModule) -> BmcOptions:
    """Check the common options and fail the module where they cannot work."""
    if PYGHMI_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("pyghmi"), exception=PYGHMI_IMPORT_ERROR)
    params = module.params
    if not 1 <= params["bmc_port"] <= 65535:
        module.fail_json(msg=f"bmc_port={params['bmc_port']} is not a UDP port; give 1 to 65535 (BMCs use 623)")
    if params["timeout"] < 2:
        module.fail_json(
            msg=f"timeout={params['timeout']} is too short for a conversation with a BMC; give 2 seconds or more"
        )
    for name, limit in (("bmc_user", 16), ("bmc_password", 20)):
        length = len(params[name].encode())
        if length > limit:
            module.fail_json(msg=f"{name} has {length} bytes; IPMI 2.0 allows at most {limit}")
    return BmcOptions(
        host=params["bmc_host"],
        port=params["bmc_port"],
        user=params["bmc_user"],
        password=params["bmc_password"],
        timeout=params["timeout"],
        cipher_suite=params["bmc_cipher_suite"],
        lock_directory=params["bmc_lock_directory"] or default_lock_directory(),
    )


def _resolve(options: BmcOptions) -> str:
    """The BMC's IP address. In a thread of its own, because no signal ends a name look-up."""
    found: list = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(options.host, options.port, 0, socket.SOCK_DGRAM)[0][4][0])
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(0.1, options.timeout - CLOSING_SECONDS))
    if not found:
        raise BmcUnreachable(
            f"the name {options.host} could not be resolved within {options.timeout} s; check DNS or give an address"
        )
    if not isinstance(found[0], str):
        raise BmcUnreachable(
            f"bmc_host={options.host} cannot be resolved ({found[0]}); give an address or a name that resolves"
        )
    return found[0]


def _cut_waits_short() -> None:
    """Let pyghmi look at its queues often: an answer it missed is found then, not at the retransmit timer."""
    original = pyghmi_session._io_wait
    if getattr(original, "_metalpool", False):
        return

    def short_wait(timeout, myaddr=None, evq=None):
        original(min(timeout, WAKE_SECONDS), myaddr, evq)

    short_wait._metalpool = True
    pyghmi_session._io_wait = short_wait


@contextlib.contextmanager
def _only_sha1(wanted: bool) -> Iterator[None]:
    """pyghmi offers cipher suite 17 and takes 3 only when the BMC says no; some BMCs say nothing."""
    original = pyghmi_session.Session._initsession

    def initsession(self):
        original(self)
        self.attemptedhash = 1

    if wanted:
        pyghmi_session.Session._initsession = initsession
    try:
        yield
    finally:
        pyghmi_session.Session._initsession = original


def _login_error(options: BmcOptions, error: BaseException) -> BmcError:
    """Our error for what pyghmi says about a login (texts: pyghmi.ipmi.private.constants.rmcp_codes)."""
    text = str(error)
    low = text.lower()
    if "incorrect password" in low or "integrity check value" in low:
        return BmcAuthError(
            f"the BMC at {options.where} refused the password of user {options.user!r}; check bmc_password, "
            "and that the account is allowed to use IPMI over LAN"
        )
    if "unauthorized name" in low or "invalid role" in low or "unauthorized role" in low or "privile" in low:
        return BmcAuthError(
            f"the BMC at {options.where} refused user {options.user!r} ({text}); check bmc_user, and that the account "
            "is enabled for IPMI over LAN with privilege ADMINISTRATOR or OPERATOR"
        )
    if "insufficient resources" in low:
        return BmcBusy(
            f"the BMC at {options.where} has no free session ({text}); close other tools that are logged in, "
            "or wait a minute for their sessions to end"
        )
    if "cipher" in low or "algorithm" in low or "payload" in low or "md5" in low:
        return BmcAuthError(
            f"the BMC at {options.where} accepts neither cipher suite 17 nor 3 ({text}); "
            "enable one of them in the BMC's set-up"
        )
    if text in ("", "None") or "timeout" in low or "no longer connected" in low or "unable to transmit" in low:
        return BmcUnreachable(
            f"no answer from a BMC at {options.where}; check the address, that IPMI over LAN is enabled, "
            f"and the route and firewall for UDP {options.port} from this host"
        )
    return BmcError(f"logging in to the BMC at {options.where} failed: {text}")


class BmcSession:
    """A live session; get one from bmc_session()."""

    def __init__(self, options: BmcOptions, address: str) -> None:
        self.options = options
        self.address = address
        self.retries = 0
        self._command = None

    def open(self) -> None:
        """Log in. Silence and pyghmi's own races are tried once more, then with the older cipher suite."""
        _cut_waits_short()
        suites = {"auto": ("17", "3"), "3": ("3", "3"), "17": ("17", "17")}[self.options.cipher_suite]
        for attempt, suite in enumerate(suites):
            try:
                with _only_sha1(suite == "3"):
                    # bytes, not str: pyghmi keys its table of starting sessions by what it is given, deletes by bytes
                    self._command = pyghmi_command.Command(
                        bmc=self.address,
                        userid=self.options.user.encode(),
                        password=self.options.password.encode(),
                        port=self.options.port,
                    )
                return
            except (IpmiException, IndexError, TypeError, KeyError, struct.error) as error:
                mapped = _login_error(self.options, error)
                if isinstance(mapped, (BmcAuthError, BmcBusy)) or attempt == len(suites) - 1:
                    raise mapped from error
                self.retries += 1

    @property
    def pyghmi(self):
        """pyghmi's Command on this session, for its rich calls (sensors)."""
        return self._command

    def raw(
        self, netfn: int, command: int, data: bytes = b"", what: str = "run a command", repeatable: bool = True
    ) -> bytes:
        """Send one IPMI command and return the data after the completion code.

        :param what: completes "the BMC refused to ..." in messages.
        :param repeatable: may be sent again when it is unknown whether the BMC did it.
        :raises BmcCommandError: for a completion code other than zero.
        :raises BmcUnreachable: when the BMC stops answering.
        """
        for attempt in range(50):
            try:
                answer = self._command.raw_command(netfn=netfn, command=command, data=tuple(data))
            except (IpmiException, IndexError, TypeError, KeyError, struct.error) as error:
                if repeatable and self.retries < 2:
                    self.retries += 1
                    self._log_in_again()
                    continue
                raise BmcUnreachable(
                    f"the BMC at {self.options.where} stopped answering when asked to {what} ({error or 'no answer'})"
                    + ("" if repeatable else "; it is unknown whether it did it: read the state before you ask again")
                ) from error
            code = answer.get("code", 0xFFFF)
            if code == 0:
                return bytes(answer["data"])
            if code == 0xFFFF:
                raise BmcUnreachable(
                    f"the BMC at {self.options.where} did not answer when asked to {what}; "
                    "try again, and check its network"
                )
            if code in BUSY_CODES and attempt < 49 and (repeatable or code != 0xC3):
                time.sleep(min(0.1 * (attempt + 1), 1.0))  # the BMC asked for patience; the deadline still ends it
                continue
            hint = ""
            if code == 0xD4:
                hint = f"Give user {self.options.user!r} the privilege ADMINISTRATOR on the BMC's LAN channel"
            elif code in BUSY_CODES:
                hint = "Try again in a minute"
            raise BmcCommandError(what, netfn, command, code, hint)
        raise BmcError(f"the BMC at {self.options.where} cannot {what}")

    def _log_in_again(self) -> None:
        with contextlib.suppress(Exception):
            self.close()
        self.open()

    def close(self) -> None:
        """Log out, and wait until the BMC says that it did (Close Session, IPMI 2.0 section 22.19)."""
        if self._command is None:
            return
        session = self._command.ipmi_session
        self._command = None
        # A command that was cut off by the deadline must neither hold this one back nor be sent again.
        session.incommand = False
        session.lastpayload = None
        session.pendingpayloads.clear()
        pyghmi_session.Session.waiting_sessions.pop(session, None)
        if session.logged and not session.broken:
            for _attempt in range(3):
                session.incommand = False
                session.raw_command(
                    netfn=0x06, command=0x3C, data=tuple(struct.pack("<I", session.sessionid)), retry=False
                )
                until = time.monotonic() + 0.25
                while session.lastresponse is None and time.monotonic() < until:
                    pyghmi_session.Session.wait_for_rsp(WAKE_SECONDS)
                if session.lastresponse is not None:
                    break
            session.logged = 0
        session.logout(False)


@contextlib.contextmanager
def bmc_session(options: BmcOptions) -> Iterator[BmcSession]:
    """A session with the BMC, alone on this host, that is over after options.timeout seconds at the latest.

    :raises BmcError: one of its kinds; also in the body of the with statement, when the deadline comes.
    """
    deadline = Deadline(options.timeout)
    work_seconds = options.timeout - CLOSING_SECONDS
    directory = options.lock_directory or default_lock_directory()
    address = _resolve(options)
    session = BmcSession(options, address)
    with contextlib.ExitStack() as stack:
        try:
            with time_limit(work_seconds - deadline.spent()):
                stack.enter_context(bmc_lock(directory, address, options.port))
        except DeadlineReached:
            holder = lock_holder(directory, address, options.port)
            raise BmcBusy(
                f"another conversation with the BMC at {options.where} is still going on after {options.timeout} s"
                f"{' (' + holder + ')' if holder else ''}; wait for it, or give a longer timeout"
            ) from None
        except OSError as error:
            raise BmcError(
                f"the BMC's lock cannot be taken: {error}; "
                f"make {directory} writable for this user or set bmc_lock_directory"
            ) from error
        logged_in = False
        try:
            with time_limit(work_seconds - deadline.spent()):
                session.open()
                logged_in = True
                yield session
        except DeadlineReached:
            if logged_in:
                raise BmcTimeout(
                    f"the BMC at {options.where} let its user log in but did not finish within {options.timeout} s; "
                    "try again, give a longer timeout, or reset the BMC when it stays so slow"
                ) from None
            raise _login_error(options, TimeoutError("timeout")) from None
        finally:
            with contextlib.suppress(Exception, DeadlineReached), time_limit(CLOSING_SECONDS):
                session.close()
