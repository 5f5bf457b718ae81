"""The Pydantic models of the API: what requests may say and what answers look like."""
