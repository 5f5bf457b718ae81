"""The REST API, version 1: thin views, Pydantic schemas, no rules."""
