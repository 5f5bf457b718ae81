"""The REST API, version 1: thin views, Pydantic schemas, no rules."""

import inventory_service.api.answers  # noqa: F401 - before any view says what it answers
