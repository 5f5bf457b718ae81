"""Long polls: a request may wait for a change, but waiting requests never use up all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from flask import current_app

from inventory_service.api.authentication import services

T = TypeVar("T")


class WaitingRoom:
    """So many requests may wait at once; whoever comes later is answered at once and asks again."""

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)

    def wait(self, topic: str, look: Callable[[], T | None], seconds: float) -> T | None:
        """Look, and look again at each change of the topic, for at most so many seconds."""
        found = look()
        if found is not None or seconds <= 0:
            return found
        parts = services()
        with parts.running.away():
            if not self._places.acquire(timeout=min(1.0, seconds)):
                return look()
            try:
                return parts.changes.wait_until(topic, look, min(seconds, parts.settings.long_poll_seconds))
            finally:
                self._places.release()


_ROOM = "metalpool waiting room"


def wait_for(topic: str, look: Callable[[], T | None], seconds: float) -> T | None:
    """Wait in this application's room."""
    room = current_app.extensions[_ROOM]
    if not isinstance(room, WaitingRoom):
        raise TypeError("create_app() makes the waiting room")
    return room.wait(topic, look, seconds)


def open_room(extensions: dict[str, object], places: int) -> None:
    """Give an application its room."""
    extensions[_ROOM] = WaitingRoom(places)
