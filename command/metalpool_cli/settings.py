"""Where the service is and how to log in to it.

Three sources, the first that says something wins: the command's options, the environment, the profile file. A source
that names another URL than the one that was chosen is passed over as a whole, so that no token goes to a server that
it was not made for. Names and order are those of the collection.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from metalpool_cli.errors import Misused

ENVIRONMENT = {
    "url": "METALPOOL_URL",
    "token": "METALPOOL_TOKEN",
    "token_file": "METALPOOL_TOKEN_FILE",
    "ca_file": "METALPOOL_CA_FILE",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Source:
    """One place that settings come from.

    :param name: what it is called, such as ``the environment``
    :param values: what it says; nothing that is empty
    """

    name: str
    values: Mapping[str, str] = field(repr=False)

    def has(self, *keys: str) -> bool:
        """Whether it says one of these."""
        return any(key in self.values for key in keys)


@dataclass(frozen=True)
class Settings:
    """How to reach the service.

    :param url: its address without ``/api/v1``
    :param sources: those that are for this URL, the first one wins
    :param url_source: the one that said the URL
    """

    url: str
    url_source: str
    sources: tuple[Source, ...] = field(repr=False)

    @property
    def ca_file(self) -> str | None:
        """CA certificates to check the server with; None for the system's.

        :raises Misused: there is no such file
        """
        source = self.source_of("ca_file")
        if source is None:
            return None
        path = os.path.expanduser(source.values["ca_file"])
        if not os.path.isfile(path):
            raise Misused(f"ca_file={path} ({source.name}) is not a file; give the CA certificate of {self.url}")
        return path

    @property
    def token(self) -> str:
        """The bearer token.

        :raises Misused: there is none, or its file cannot be read
        """
        source = self.source_of("token", "token_file")
        if source is None:
            raise Misused(
                f"there is no API token for {self.url}: write token_file = \"...\" beside this url into the profile, "
                "set METALPOOL_TOKEN_FILE or METALPOOL_TOKEN, or give --token-file"
            )
        if "token" in source.values:
            return source.values["token"].strip()
        name = os.path.expanduser(source.values["token_file"])
        try:
            with open(name, encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misused(f"cannot read token_file={name} ({source.name}): {error}") from error
        if not token:
            raise Misused(f"token_file={name} ({source.name}) is empty; put an API token of {self.url} into it")
        return token

    def source_of(self, *keys: str) -> Source | None:
        """The source that says one of these first."""
        return next((source for source in self.sources if source.has(*keys)), None)


def profile_path(environ: Mapping[str, str]) -> str:
    """Path of the profile: METALPOOL_PROFILE, else metalpool/config.toml in the user's configuration directory."""
    if environ.get("METALPOOL_PROFILE"):
        return os.path.expanduser(environ["METALPOOL_PROFILE"])
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return os.path.join(os.path.expanduser(base), "metalpool", "config.toml")


def resolve(options: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """The settings that are in force.

    :raises Misused: no URL was found, or what was found is not understood
    """
    path = profile_path(environ)
    sources = (
        Source("option", {key: value for key, value in options.items() if value}),
        Source("environment", {key: environ[name] for key, name in ENVIRONMENT.items() if environ.get(name)}),
        Source(path, _read_profile(path)),
    )
    chosen = next((source for source in sources if source.has("url")), None)
    if chosen is None:
        raise Misused(
            "the address of the Metalpool service is not known: "
            f'write url = "https://..." into {path}, set METALPOOL_URL, or give --url'
        )
    url = _clean_url(chosen.values["url"])
    usable = tuple(one for one in sources if not one.has("url") or _clean_url(one.values["url"]) == url)
    return Settings(url, chosen.name, usable)


def _read_profile(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misused(f"cannot read the profile {path}: {error}") from error
    for key, value in content.items():
        if key not in ENVIRONMENT or not isinstance(value, str):
            # The value is not shown: a token whose key is misspelled is a token.
            raise Misused(f"{key} in the profile {path} is not understood; allowed are texts for {', '.join(ENVIRONMENT)}")
    return {key: value for key, value in content.items() if value}


def _clean_url(url: str) -> str:
    """The service's URL: no /api/v1, no slash at the end, HTTPS unless on this very host."""
    clean = url.strip().rstrip("/").removesuffix("/api/v1").rstrip("/")
    parts = urlsplit(clean)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misused(f"url={url} is not understood; write it like https://pool.example:8443")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Misused(f"url={url} would send the token unencrypted; use https:// (http:// is for localhost only)")
    return clean
