"""What ``metalpool doctor`` looks at, in this order; each check says how to mend what is wrong."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from metalpool_cli.errors import Failure, Refused
from metalpool_cli.keys import default_keys
from metalpool_cli.output import seconds
from metalpool_cli.session import Session
from metalpool_cli.settings import Settings

CONNECT_SECONDS = 10.0
CERTIFICATE_DAYS = 30
CLOCK_SECONDS = 5.0
OK, WARNING, FAILED = "ok", "warning", "failed"
_GET_CA = "get the service's CA certificate from whoever runs it, and write ca_file = \"...\" into the profile"
_IS_IT_UP = "is the service running, and is the url right?"
_ASK_FOR_ONE = "ask whoever runs the service for a token"
_MENDS = {"_certificate": _GET_CA, "_service": _IS_IT_UP, "_token": _ASK_FOR_ONE}


class Check(NamedTuple):
    """What one check found.

    :param mend: what to do about it
    """

    name: str
    result: str
    detail: str
    mend: str = ""


def examine(session: Session) -> Iterator[Check]:
    """All checks; what stands on a failed one is left out."""
    try:
        settings = session.settings
    except Failure as failure:
        yield Check("settings", FAILED, str(failure), "see metalpool config")
        return
    yield Check("settings", OK, f"url={settings.url} from {settings.url_source}")
    yield _token_file(settings)
    yield _ssh()
    for one in (_certificate, _service, _clock, _token, _login, _images):
        found = _guarded(one, session)
        yield found
        if found.result == FAILED:
            return


def _guarded(check: Callable[[Session], Check], session: Session) -> Check:
    try:
        return check(session)
    except Failure as failure:
        return Check(check.__name__.strip("_"), FAILED, str(failure), _MENDS.get(check.__name__, ""))


def _token_file(settings: Settings) -> Check:
    source = settings.source_of("token", "token_file")
    if source is None:
        return Check("token file", FAILED, f"there is no API token for {settings.url}", f"{_ASK_FOR_ONE}; see metalpool config")
    secret = source.values.get("token_file") if "token" not in source.values else source.name
    path = os.path.expanduser(str(secret))
    if not os.path.isfile(path):
        is_file = "token" not in source.values
        return Check("token file", FAILED if is_file else OK, f"{path} is no file" if is_file else f"the token is from {source.name}")
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        return Check("token file", WARNING, f"others on this host may read {path}", f"chmod 600 {path}")
    return Check("token file", OK, f"{path} is yours alone")


def _certificate(session: Session) -> Check:
    settings = session.settings
    parts = urlsplit(settings.url)
    if parts.scheme == "http":
        return Check("certificate", OK, "http:// to this very host: none is needed")
    host = parts.hostname or ""
    try:
        with (
            socket.create_connection((host, parts.port or 443), CONNECT_SECONDS) as plain,
            ssl.create_default_context(cafile=settings.ca_file).wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        used = settings.ca_file or "the CA certificates of this system"
        return Check("certificate", FAILED, f"it is not accepted ({error.verify_message}), checked with {used}", _MENDS["_certificate"])
    except OSError as error:
        return Check("certificate", FAILED, f"{host}:{parts.port or 443} does not answer: {error}", _IS_IT_UP)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    left = (ends - datetime.now(UTC)).days
    detail = f"trusted, {left} days left (until {ends:%Y-%m-%d})"
    if left < CERTIFICATE_DAYS:
        return Check("certificate", WARNING, detail, "whoever runs the service renews it")
    return Check("certificate", OK, detail)


def _service(session: Session) -> Check:
    answer = session.connect(None).raw("/readyz", CONNECT_SECONDS)
    said: dict[str, Any] = answer.json if isinstance(answer.json, dict) else {}
    if answer.status != 200:
        detail = str(said.get("detail") or f"HTTP status {answer.status}")
        return Check("service", FAILED, detail, "its log says more; whoever runs it has it")
    return Check("service", OK, f"ready, version {said.get('version', '?')}")


def _clock(session: Session) -> Check:
    before = datetime.now(UTC)
    answer = session.connect(None).raw("/healthz", CONNECT_SECONDS)
    said = answer.headers.get("Date")
    if not said:
        return Check("clock", WARNING, "the service does not say its time")
    # The header has whole seconds, cut off.
    middle = before + (datetime.now(UTC) - before) / 2
    differs = (middle - parsedate_to_datetime(said)).total_seconds() - 0.5
    detail = f"this clock is {seconds(abs(differs))} {'ahead of' if differs > 0 else 'behind'} the service's"
    if abs(differs) > CLOCK_SECONDS:
        return Check("clock", WARNING, detail, "synchronise the clocks of both (chrony): ends of leases are shown wrong here")
    return Check("clock", OK, detail)


def _token(session: Session) -> Check:
    try:
        one = session.api.get("/whoami")
    except Refused as refusal:
        return Check("token", FAILED, refusal.brief, _ASK_FOR_ONE)
    pools = ", ".join(f"{pool} ({role})" for pool, role in one["pools"].items()) or "none"
    may = any(role != "viewer" for role in one["pools"].values())
    detail = f"{one['user']}, {one['role']}; pools: {pools}"
    return Check("token", OK, detail) if may else Check("token", WARNING, detail, "you may not acquire anything: ask for a role in a pool")


def _login(session: Session) -> Check:
    registered = len(list(session.api.items("/ssh-keys")))
    if registered:
        return Check("SSH keys", OK, f"{registered} registered")
    here = len(default_keys())
    if here:
        return Check("SSH keys", OK, f"none registered; {here} in ~/.ssh will be used", "")
    return Check("SSH keys", WARNING, "none registered, and none in ~/.ssh", "ssh-keygen -t ed25519, then metalpool key add")


def _images(session: Session) -> Check:
    names = [one["name"] for one in session.api.items("/images")]
    if not names:
        return Check("images", WARNING, "there is none to install", "whoever runs the service registers one: metalpool image register")
    return Check("images", OK, ", ".join(names))


def _ssh() -> Check:
    path = shutil.which("ssh")
    if path is None:
        return Check("ssh", WARNING, "there is no ssh on this host", "install an OpenSSH client")
    return Check("ssh", OK, path)
