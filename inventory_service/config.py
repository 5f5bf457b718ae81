"""Settings: defaults, then a TOML file, then the environment (``METALPOOL_*``); checked before anything starts."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

DEFAULT_FILE = Path("/etc/metalpool/service.toml")
ENV_PREFIX = "METALPOOL_"


MOST_PROCESSES = 4
"""So many by default, however many CPUs there are: each has its memory and its connections."""


class SettingsError(Exception):
    """The settings do not make sense; the text says which, and what is allowed."""


class Settings(BaseModel):
    """Everything that a site can set; times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path = Path("/var/lib/metalpool/service")
    listen_address: str = "127.0.0.1"
    listen_port: int = Field(default=8443, ge=1, le=65535)
    database_url: str = ""
    tls: bool = True
    server_names: list[str] = Field(default_factory=lambda: ["localhost", "127.0.0.1", "::1"])
    processes: int = Field(default=0, ge=0, validate_default=True, description="that serve; 0 on PostgreSQL: one for each CPU, at most 4")
    request_threads: int = Field(default=64, ge=8)
    long_polls: int = Field(default=48, ge=1, description="requests that may wait at the same time")
    long_poll_seconds: int = Field(default=60, ge=1, description="the longest wait of one request")
    stream_port: int = Field(default=8444, ge=0, le=65535, description="where events are streamed; 0: nowhere")
    streams: int = Field(default=500, ge=1, description="that may be open at the same time, in one process")
    webhook_local: bool = Field(default=False, description="webhooks may name this host and what is on its own links")
    webhook_ca_file: str = Field(default="", description="whose certificates webhooks may have; empty: the system's")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    log_format: str = Field(default="text", pattern="^(text|json)$", description="json: one object a line")

    lease_seconds: int = Field(default=30, ge=1)
    by_hand_grace_seconds: int = Field(default=60, ge=1)
    cancel_grace_seconds: int = Field(default=30, ge=1)
    first_step_seconds: int = Field(default=120, ge=1, description="from the claim to the first step")
    queue_seconds: int = Field(default=3600, ge=1, description="how long an operation waits for a worker")
    attempts: int = Field(default=2, ge=1)
    step_limits: dict[str, int] = Field(default_factory=dict, description='for example {"deploy.boot": 600}')
    tag_seconds: float = Field(default=10.0, gt=0, description="for a tag's expression over one batch of nodes")
    idempotency_seconds: int = Field(default=86400, ge=60, description="how long answers are kept by their key")

    cost_weights: dict[str, float] = Field(
        default_factory=dict, description='what hardware is worth when the best fit is chosen, such as {"gpu": 100}'
    )

    expression_seconds: float = Field(default=5, gt=0, le=60, description="for the expression of one request, over all nodes")

    default_zone: str = "default"
    default_pool: str = "default"
    default_rack: str = "local"
    boot_url: str = Field(default="", description="what nodes see, e.g. http://rack/boot; empty: as they asked")
    trusted_proxies: list[str] = Field(default_factory=lambda: ["127.0.0.1", "::1"])
    auto_accept: bool = False
    boot_requests_per_minute: int = Field(default=120, ge=1, description="of one source")
    enlist_requests_per_minute: int = Field(default=10, ge=1, description="of one source")
    login_requests_per_minute: int = Field(default=10, ge=1, description="of one source")
    session_seconds: int = Field(default=7 * 86400, ge=60, description="from signing in to signing in again")
    session_idle_seconds: int = Field(default=86400, ge=60, description="unused for so long, a session ends")
    unaccepted_nodes: int = Field(default=100, ge=1, description="enlisted nodes that nobody accepted yet")
    unaccepted_nodes_per_source: int = Field(default=3, ge=1)

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        scheme, colon, rest = value.partition("://")
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg{colon}{rest}"
        if value and scheme not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("not a database that the service runs on; allowed: sqlite:///FILE, postgresql+psycopg://...")
        return value

    @field_validator("processes")
    @classmethod
    def _sqlite_has_one_writer(cls, value: int, others: ValidationInfo) -> int:
        if _is_sqlite(others.data.get("database_url", "")):
            if value > 1:
                raise ValueError(f"{value} are not possible on SQLite, which one process writes; allowed: 1, more on PostgreSQL")
            return 1
        return value or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)

    @field_validator("step_limits")
    @classmethod
    def _limits_name_steps(cls, value: dict[str, int]) -> dict[str, int]:
        from inventory_service.steps import STEPS

        known = {f"{kind}.{step.name}" for kind, steps in STEPS.items() for step in steps}
        for name, seconds in value.items():
            if name not in known:
                raise ValueError(f"{name!r} is no step; allowed: {', '.join(sorted(known))}")
            if seconds < 1:
                raise ValueError(f"{name}: {seconds} is not a number of seconds above 0")
        return value

    @property
    def database(self) -> str:
        """The database's URL; SQLite in the state directory when none is set."""
        return self.database_url or f"sqlite:///{self.state_dir / 'metalpool.sqlite'}"

    @property
    def is_sqlite(self) -> bool:
        return _is_sqlite(self.database_url)

    @property
    def engine_database(self) -> str:
        """Where DBOS keeps its workflows: beside the database."""
        if self.is_sqlite:
            return f"sqlite:///{self.state_dir / 'engine.sqlite'}"
        return self.database

    @property
    def metrics_dir(self) -> Path:
        return self.state_dir / "metrics"

    @property
    def vault_key_file(self) -> Path:
        return self.state_dir / "vault.key"

    @property
    def tls_dir(self) -> Path:
        return self.state_dir / "tls"

    @property
    def admin_token_file(self) -> Path:
        return self.state_dir / "admin.token"

    def redacted(self) -> dict[str, Any]:
        """What ``config show`` prints: no password of a database URL."""
        from sqlalchemy.engine import make_url

        shown: dict[str, Any] = json.loads(self.model_dump_json())
        shown["database_url"] = make_url(self.database).render_as_string(hide_password=True)
        return shown


def _is_sqlite(database_url: str) -> bool:
    return not database_url or database_url.startswith("sqlite")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        text = environ.get(ENV_PREFIX + name.upper())
        if text is None:
            continue
        if field.annotation in (str, Path, int, bool):
            found[name] = text
            continue
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = [part.strip() for part in text.split(",") if part.strip()]
    return found


def load(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    :param file: a TOML file; by default ``METALPOOL_CONFIG``, else /etc/metalpool/service.toml when it exists
    :raises SettingsError: a file that cannot be read, an unknown name, a value out of range
    """
    environ = os.environ if environ is None else environ
    named = file or (Path(environ[ENV_PREFIX + "CONFIG"]) if environ.get(ENV_PREFIX + "CONFIG") else None)
    path = named or DEFAULT_FILE
    values: dict[str, Any] = {}
    if named or path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from error
    try:
        return Settings(**(values | _from_environment(environ)))
    except ValidationError as error:
        parts = [f"{'.'.join(str(one) for one in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise SettingsError(f"settings ({path} and {ENV_PREFIX}*): " + "; ".join(parts)) from error
