"""What each process that ``serve`` starts begins with."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import OperationalError

from inventory_service.config import Settings
from inventory_service.logs import begin_logging
from inventory_service.services import Services, open_upgraded
from inventory_service.supervised import end_with_supervisor

log = logging.getLogger(__name__)
_AGAIN_SECONDS = 1.0


def begin(settings: Settings) -> Services:
    """End with the supervisor; open everything as soon as the database answers; hear of what other processes change."""
    end_with_supervisor()
    begin_logging(settings.log_level, settings.log_format)
    services = _open(settings)
    if not settings.is_sqlite:
        from inventory_service.relay import Relay

        Relay(settings.database, services.changes).start()
    return services


def _open(settings: Settings) -> Services:
    """A process that ended instead would be started again, and again, until the supervisor gives up."""
    while True:
        try:
            return open_upgraded(settings)
        except OperationalError as error:
            log.error("the database does not answer, the start is tried again: %s", error.orig)
            time.sleep(_AGAIN_SECONDS)
