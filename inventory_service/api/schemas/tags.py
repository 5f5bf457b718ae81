"""Tags."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inventory_service.api.schemas.common import Answer, Request


class TagIn(Request):
    """A tag; what is left out stays. With an ``expression`` (boolean Jinja2) it is on the nodes for which that is true."""

    description: str | None = Field(default=None, max_length=1000)
    expression: str | None = Field(default=None, max_length=4000)


class Tag(Answer):
    """``error`` says which nodes the expression could not decide about; they keep what they had."""

    name: str
    description: str
    expression: str | None
    error: str | None
    evaluated_at: datetime | None
    nodes: int


class Tags(Answer):
    items: list[Tag]
    next: str | None
