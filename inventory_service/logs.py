"""The log, on stderr: lines for people, or one JSON object a line for programs (``log_format``)."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

FIELDS = ("request_id", "user", "method", "route", "status", "seconds", "source")
"""What the lines of requests carry besides."""

_BESIDES = ("seconds", "user", "source", "request_id")


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name in FIELDS if (value := getattr(record, name, None)) is not None},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people; of a request also who, how long, and by which id it is found."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        said = {name: getattr(record, name, None) for name in _BESIDES}
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in said.items() if value is not None)


def begin_logging(level: str, form: str) -> None:
    """Log this way from now on.

    :param form: ``text`` or ``json``
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
