"""The metalpool command: a light client of the service's REST API. It shares no code with the service."""

__version__ = "0.1.0"
