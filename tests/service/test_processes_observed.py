"""Where several processes serve: their metrics are one, and events are streamed whichever process wrote them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable

from inventory_service.config import Settings
from tests.service.databases import Databases
from tests.service.served import Served
from tests.service.world import until


def _text(served: Served, path: str) -> str:
    connection = http.client.HTTPSConnection("127.0.0.1", served.port, context=served.tls, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {served.token}"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_metrics_are_one_and_events_are_streamed(databases: Databases, make_settings: Callable[..., Settings]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = Served(make_settings(), METALPOOL_STREAM_PORT=str(port), METALPOOL_LOG_FORMAT="json")
    served.start()
    try:
        stream = http.client.HTTPSConnection("127.0.0.1", port, context=served.tls, timeout=20)
        stream.request("GET", "/api/v1/events/stream", headers={"Authorization": f"Bearer {served.token}"})
        events = stream.getresponse()
        assert events.status == 200
        for number in range(8):  # each on a connection of its own, so that every process has some of them
            served.ask("PUT", f"/zones/z{number}", {})
        seen = []
        while len(seen) < 8:
            line = events.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
        assert [one["id"] for one in seen] == sorted(one["id"] for one in seen)
        counted = 'metalpool_http_requests_total{method="PUT",route="/api/v1/zones/<name>",status="201"} 8.0'
        for unused in range(4):  # whichever process answers
            assert counted in _text(served, "/metrics")
        until(lambda: "metalpool_engine_alive 1.0" in _text(served, "/metrics"))
        assert "metalpool_event_streams 1.0" in _text(served, "/metrics")
        stream.close()
    finally:
        served.stop()
