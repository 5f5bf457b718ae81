"""What booting machines say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Said(BaseModel):
    """Machines of another version may say more than is understood."""

    model_config = ConfigDict(extra="ignore")


class CheckInIn(Said):
    boot: str = Field(max_length=64)
    nonce: str | None = Field(default=None, max_length=64)
    token: str | None = Field(default=None, max_length=128)
    host_key: str = Field(
        max_length=1024, pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\r\n]*)?$"
    )
    address: str | None = Field(default=None, max_length=64)
    uuid: str | None = Field(default=None, max_length=64)
    macs: list[str] = Field(default_factory=list, max_length=64)
    boot_mac: str | None = Field(default=None, max_length=32)


class CheckInOut(BaseModel):
    authorized_keys: list[str]


class EnlistInterface(Said):
    name: str | None = Field(default=None, max_length=64)
    mac: str = Field(max_length=32)


class EnlistBmc(Said):
    address: str | None = Field(default=None, max_length=64)
    mac: str | None = Field(default=None, max_length=32)


class EnlistIn(Said):
    uuid: str | None = Field(default=None, max_length=64)
    serial: str | None = Field(default=None, max_length=128)
    vendor: str | None = Field(default=None, max_length=128)
    product: str | None = Field(default=None, max_length=128)
    arch: Literal["amd64", "arm64"]
    firmware: Literal["bios", "uefi"]
    interfaces: list[EnlistInterface] = Field(min_length=1, max_length=64)
    boot_mac: str | None = Field(default=None, max_length=32)
    address: str | None = Field(default=None, max_length=64)
    bmc: EnlistBmc | None = None


class EnlistOut(BaseModel):
    claim: str
    node: str


class EnlistWaitIn(Said):
    claim: str = Field(max_length=128)
    wait: float = Field(default=25, ge=0, le=60)


class EnlistWaitOut(BaseModel):
    boot: str
    token: str | None
