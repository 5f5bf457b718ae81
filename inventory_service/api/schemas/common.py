"""What several schemas share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Request(BaseModel):
    """A request's body or query: an unknown member is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(extra="forbid")


class Page(Request):
    """Which part of a list: ``after`` is the ``next`` of the answer before."""

    limit: int = Field(default=200, ge=1, le=1000)
    after: str | None = None


class Selection(Page):
    """Which part of a list, of what, in which order, and what of each."""

    filter: str | None = Field(
        default=None, max_length=4000, description="terms that all have to be met, such as `state=ready mem>=64G -tag:old`"
    )
    sort: str | None = Field(default=None, max_length=200, description="such as `-mem,name`: the most memory first, then by name")
    fields: str | None = Field(default=None, max_length=1000, description="the only members that items have in the answer: `name,state`")


class Wait(Request):
    """How long to wait for something to happen, in seconds."""

    wait: float = Field(default=0, ge=0, le=300)


_SSH_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
    r" [A-Za-z0-9+/]{40,}={0,3}( [^\r\n]*)?",
    re.ASCII,
)
_PASSWORD_HASH = re.compile(r"\$(y|6|5|2b|7|gy)\$[./A-Za-z0-9$=,]{10,200}", re.ASCII)


def _check_ssh_key(key: str) -> str:
    key = key.strip()
    if not _SSH_KEY.fullmatch(key):
        raise ValueError("not a public SSH key; it looks like 'ssh-ed25519 AAAA... comment', in one line")
    return key


def _check_password_hash(text: str) -> str:
    if not _PASSWORD_HASH.fullmatch(text):
        raise ValueError("not a password hash of crypt(5), such as $6$... or $y$...; a password itself is not accepted")
    return text


SshPublicKey = Annotated[str, Field(max_length=16384), AfterValidator(_check_ssh_key)]
PasswordHash = Annotated[str, AfterValidator(_check_password_hash)]
LoginName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Document = dict[str, Any]
