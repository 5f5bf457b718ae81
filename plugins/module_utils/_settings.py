# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API is and how to log in to it. Private to this collection.

Three sources, the first that says something wins: the task's (or plugin's) options, the environment, the profile
file. A source that names another URL than the one that was chosen is passed over as a whole, so that a token is never
sent to a server it was not meant for.
"""
from __future__ import annotations

import os
import tomllib
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ENVIRONMENT = {
    "url": "METALPOOL_URL",
    "token": "METALPOOL_TOKEN",
    "token_file": "METALPOOL_TOKEN_FILE",
    "ca_file": "METALPOOL_CA_FILE",
}
PROFILE_KEYS = ("url", "token", "token_file", "ca_file")
LOOPBACK = ("localhost", "127.0.0.1", "::1")

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "path", "no_log": False},
    "ca_file": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
    "retry_timeout": {"type": "int", "default": 120},
}


class SettingsError(Exception):
    """The connection's settings are missing or wrong; the text says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """How to reach the API.

    :param url: the service's address without ``/api/v1``, such as ``https://pool.example:8443``
    :param token: bearer token
    :param ca_file: CA certificates (PEM) to check the server with; None for the system's
    :param validate_certs: False switches the check of the server's certificate off
    :param timeout: seconds that one request may take beside the wait it asks for
    :param retry_timeout: seconds during which a call that may be repeated is repeated while the service is away
    """

    url: str
    token: str = field(repr=False)
    ca_file: str | None = None
    validate_certs: bool = True
    timeout: int = 30
    retry_timeout: int = 120


def profile_path(environ: t.Mapping[str, str]) -> str:
    """Path of the profile file: METALPOOL_PROFILE, else metalpool/config.toml in the user's configuration directory."""
    if environ.get("METALPOOL_PROFILE"):
        return os.path.expanduser(environ["METALPOOL_PROFILE"])
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return os.path.join(os.path.expanduser(base), "metalpool", "config.toml")


def read_profile(path: str) -> dict[str, str]:
    """Read the profile file; a file that does not exist is an empty profile.

    :raises SettingsError: the file cannot be read or parsed, or has a key that is not known
    """
    try:
        with open(path, "rb") as handle:
            content = tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"cannot read the profile {path}: {exc}") from exc
    for key, value in content.items():
        if key not in PROFILE_KEYS or not isinstance(value, str):
            # The value is not shown: a token whose key is misspelled is a token.
            raise SettingsError(
                f"{key} in the profile {path} is not understood; "
                f"allowed are text values for {', '.join(PROFILE_KEYS)}"
            )
    return content


def resolve(*sources: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Settings:
    """Merge explicit sources (first wins), the environment and the profile into settings that can be used.

    :param environ: the environment; that of the process when it is not given
    :param sources: options with the names of `CONNECTION_SPEC`; None and "" count as not given
    :raises SettingsError: no URL or no token was found, or one of them is wrong
    """
    environ = os.environ if environ is None else environ
    path = profile_path(environ)
    from_environment = {key: environ.get(name) for key, name in ENVIRONMENT.items()}
    given: list[dict[str, t.Any]] = [
        {key: value for key, value in source.items() if value not in (None, "")}
        for source in (*sources, from_environment, read_profile(path))
    ]
    url = next((_clean_url(source["url"]) for source in given if "url" in source), None)
    if url is None:
        raise SettingsError(
            f"the address of the Metalpool service is not known: give the option url, "
            f"set METALPOOL_URL, or write url = \"https://...\" into {path}"
        )
    usable = [source for source in given if "url" not in source or _clean_url(source["url"]) == url]
    ca_file = _first(usable, "ca_file")
    if ca_file and not os.path.isfile(os.path.expanduser(ca_file)):
        raise SettingsError(f"ca_file={ca_file} is not a file; give the CA certificate of {url}")
    return Settings(
        url=url,
        token=_token(usable, url, path),
        ca_file=os.path.expanduser(ca_file) if ca_file else None,
        validate_certs=_first(usable, "validate_certs", True),
        timeout=_first(usable, "timeout", 30),
        retry_timeout=_first(usable, "retry_timeout", 120),
    )


def _first(sources: list[dict[str, t.Any]], key: str, default: t.Any = None) -> t.Any:
    return next((source[key] for source in sources if key in source), default)


def _clean_url(url: str) -> str:
    """Normalise and check the service's URL: no /api/v1, no slash at the end, HTTPS unless on this very host."""
    clean = str(url).strip().rstrip("/").removesuffix("/api/v1").rstrip("/")
    parts = urlsplit(clean)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"url={url} is not understood; write it like https://pool.example:8443")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError(f"url={url} would send the token unencrypted; use https:// (http:// is for localhost only)")
    return clean


def _token(sources: list[dict[str, t.Any]], url: str, path: str) -> str:
    """Take the token from the first source that has one, directly or as a file."""
    for source in sources:
        if "token" in source:
            return str(source["token"]).strip()
        if "token_file" in source:
            name = os.path.expanduser(source["token_file"])
            try:
                with open(name, encoding="utf-8") as handle:
                    token = handle.read().strip()
            except (OSError, UnicodeDecodeError) as exc:
                raise SettingsError(f"cannot read token_file={name}: {exc}") from exc
            if not token:
                raise SettingsError(f"token_file={name} is empty; put an API token of {url} into it")
            return token
    raise SettingsError(
        f"there is no API token for {url}: set METALPOOL_TOKEN or METALPOOL_TOKEN_FILE, give token_file, "
        f"or write token = \"mp_...\" beside this url into {path}"
    )
