"""What a rack's worker says and is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from inventory_service.api.schemas.allocations import Allocation
from inventory_service.api.schemas.catalogue import Image, Pool
from inventory_service.api.schemas.common import Answer, Document, Request, SshPublicKey, Wait


class ClaimIn(Wait):
    """Ask for work. ``heartbeat`` is false for a playbook that was started by hand."""

    ssh_public_key: SshPublicKey | None = None
    node: str | None = None
    heartbeat: bool = True


class ClaimStep(Answer):
    name: str
    title: str
    limit_seconds: int


class ClaimInterface(Answer):
    """An interface that the installed system sets up; `dhcp` is about IPv4. Addresses have their prefix length."""

    mac: str
    name: str | None
    dhcp: bool
    addresses: list[str]
    gateways: list[str]
    dns: list[str]
    mtu: int


class Claim(Answer):
    """Everything about one operation, secrets included."""

    operation_id: str
    epoch: int
    attempt: int
    kind: str
    parameters: Document
    rack: str
    steps: list[ClaimStep]
    node: Document
    allocation: Allocation | None
    image: Image | None
    credentials: Document | None
    hostname: str | None
    network: list[ClaimInterface]
    pool_policy: Pool
    phone_home_path: str


class Report(Request):
    """Every report carries the epoch of the claim."""

    epoch: int


class StepIn(Report):
    step: str
    message: str | None = Field(default=None, max_length=4000)


class StepStarted(Answer):
    limit_seconds: int


class LogIn(Report):
    lines: list[str] = Field(max_length=1000)


class HeartbeatOut(Answer):
    cancel: bool


class ArmOut(Answer):
    boot: str
    nonce: str


class AwaitBoot(Wait):
    epoch: int


class CheckedIn(Answer):
    boot: str
    address: str
    host_key: str


class PhoneHomeToken(Answer):
    url_path: str


class PhonedHome(Answer):
    address: str
    host_keys: list[str]


class FactsIn(Report):
    facts: Document


class Evidenced(Request):
    """A report whose further members are kept as they are, as its evidence."""

    evidence: Document = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        known = {name: value for name, value in said.items() if name in cls.model_fields and name != "evidence"}
        further = {name: value for name, value in said.items() if name not in cls.model_fields}
        own = said.get("evidence")
        return known | {"evidence": further | (own if isinstance(own, dict) else {"evidence": own} if own else {})}


class ErasureIn(Evidenced):
    serial: str | None = None
    path: str | None = None
    method: str | None
    verified: bool
    detail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None


class ErasuresIn(Report):
    items: list[ErasureIn]


class ScriptResultIn(Evidenced):
    name: str
    phase: str
    exit_code: int
    output: str = Field(default="", max_length=1_000_000)
    seconds: float | None = None


class ScriptResultsIn(Report):
    items: list[ScriptResultIn]


class BmcAccountIn(Report):
    address: str
    port: int = Field(default=623, ge=1, le=65535)
    username: str
    password: str
    state: Literal["pending", "proved"]


class PowerIn(Report):
    power_state: Literal["on", "off", "unknown"]


class Finding(Request):
    kind: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    detail: str


class FindingsIn(Report):
    items: list[Finding]


class ResultIn(Report):
    outcome: Literal["succeeded", "failed"]
    reason: str | None = Field(default=None, max_length=4000)
