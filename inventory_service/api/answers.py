"""Answers as JSON: checked against their schema, then written by pydantic without a detour over dictionaries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apiflask.schema_adapters.pydantic import PydanticAdapter
from apiflask.schema_adapters.registry import registry
from flask import Response
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel
from werkzeug.sansio.response import Response as BaseResponse


class _Checked(PydanticAdapter):
    """Leaves the checked answer as it is, for ``Json`` to write."""

    def serialize_output(self, data: Any, many: bool = False) -> Any:
        """The answer of a view, checked."""
        return self.model_class.model_validate(data) if isinstance(data, dict) else super().serialize_output(data, many)


class Json(DefaultJSONProvider):
    """Moments as ISO 8601 in UTC."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return DefaultJSONProvider.default(value)

    def response(self, *args: Any, **kwargs: Any) -> BaseResponse:
        """The response for what a view answered."""
        if len(args) == 1 and isinstance(args[0], BaseModel):
            return Response(args[0].model_dump_json() + "\n", mimetype=self.mimetype)
        return super().response(*args, **kwargs)


registry.register("pydantic", _Checked)
