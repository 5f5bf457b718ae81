"""Webhooks: signed, tried again, written down, and no way into the service's own host."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inventory_service import clock
from inventory_service.courier import PAUSES, Courier
from inventory_service.events import record
from inventory_service.outbound import Outbound, Unreachable
from inventory_service.problems import Invalid
from tests.service.world import World

SECRET = "canary-of-the-webhook-5a1f"


class Receiver(ThreadingHTTPServer):
    """What was received, and what is answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}/hook?team=a"

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["event"]["kind"] for unused, body in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers.items()) | {"path": self.path}, body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(engine=False, webhook_local=True)


def _hook(world: World, url: str, name: str = "chat", **values: Any) -> Any:
    return world.ask("PUT", f"/webhooks/{name}", {"url": url, "secret": SECRET, "filter": "kind~a."} | values, expect=201)


def _happen(world: World, *kinds: str) -> None:
    with world.services.database.write() as session:
        for kind in kinds:
            record(session, kind, "test")


def _log(world: World) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = world.get("/webhooks/chat/deliveries")["items"]
    return items


def test_events_are_delivered_in_order_signed_and_written_down(world: World, receiver: Receiver) -> None:
    _happen(world, "a.before")
    _hook(world, receiver.url)
    _happen(world, "a.1", "b.1", "a.2")
    courier = Courier(world.services)
    courier.work()
    courier.work()
    assert receiver.kinds == ["a.1", "a.2"]
    headers, body = receiver.received[0]
    assert (headers["X-Metalpool-Event"], headers["path"]) == ("a.1", "/hook?team=a")
    moment, signature = (part.partition("=")[2] for part in headers["X-Metalpool-Signature"].split(","))
    assert hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest() == signature
    assert abs(int(moment) - clock.now().timestamp()) < 60
    assert json.loads(body)["event"] == next(one for one in world.events("a.1"))
    assert [(one["kind"], one["state"], one["status"], one["attempts"]) for one in _log(world)] == [
        ("a.2", "delivered", 200, 1), ("a.1", "delivered", 200, 1)
    ]  # fmt: skip
    assert 'metalpool_webhook_deliveries_total{result="delivered"}' in world.call("GET", "/metrics").text


def test_what_fails_is_tried_again_ever_later_and_given_up(world: World, receiver: Receiver, clock_at: Callable[..., Any]) -> None:
    _hook(world, receiver.url)
    _happen(world, "a.1")
    receiver.status = 500
    passed = 0
    for attempt, pause in enumerate((*PAUSES, None), 1):
        Courier(world.services).work()
        Courier(world.services).work()
        [one] = _log(world)
        assert (one["attempts"], one["status"], one["error"]) == (attempt, 500, "it answered 500")
        assert len(receiver.received) == attempt
        if pause is not None:
            assert one["state"] == "pending"
            passed += pause + 1
            clock_at(seconds=passed)
    assert one["state"] == "failed" and passed > timedelta(hours=20).total_seconds()
    receiver.status = 204
    world.post(f"/webhooks/chat/deliveries/{one['id']}/retry", expect=202)
    Courier(world.services).work()
    assert _log(world)[0]["state"] == "delivered" and receiver.kinds[-1] == "a.1"
    world.post("/webhooks/chat/deliveries/999/retry", expect=404)


def test_one_that_does_not_answer_keeps_no_other_waiting(world: World, receiver: Receiver) -> None:
    _hook(world, "http://127.0.0.1:1/", "dead")
    _hook(world, receiver.url)
    _happen(world, "a.1", "a.2")
    Courier(world.services).work()
    assert receiver.kinds == ["a.1", "a.2"]
    dead = world.get("/webhooks/dead/deliveries")["items"]
    assert [one["attempts"] for one in dead] == [0, 1] and dead[1]["error"]


def test_a_redirect_is_not_followed_and_what_is_switched_off_is_skipped(world: World, receiver: Receiver) -> None:
    _hook(world, receiver.url)
    receiver.status = 302
    _happen(world, "a.1")
    Courier(world.services).work()
    assert _log(world)[0]["error"] == "it answered 302" and len(receiver.received) == 1
    world.ask("PUT", "/webhooks/chat", {"enabled": False}, expect=200)
    _happen(world, "a.2")
    Courier(world.services).work()
    world.ask("PUT", "/webhooks/chat", {"enabled": True}, expect=200)
    receiver.status = 200
    _happen(world, "a.3")
    Courier(world.services).work()
    assert receiver.kinds[1:] == ["a.3"]
    world.ask("DELETE", "/webhooks/chat", expect=204)
    _happen(world, "a.4")
    Courier(world.services).work()
    assert receiver.kinds[-1] == "a.3"


def test_the_secret_is_nowhere_in_clear(world: World, receiver: Receiver) -> None:
    shown = _hook(world, receiver.url)
    assert "secret" not in shown
    _happen(world, "a.1")
    Courier(world.services).work()
    refused = world.ask("PUT", "/webhooks/chat", {"secret": SECRET[:10]}, expect=422)
    said = json.dumps([shown, refused, world.get("/webhooks"), world.get("/webhooks/chat"), _log(world), world.get("/events")["items"]])
    assert SECRET not in said and SECRET[:10] not in json.dumps(refused)
    assert SECRET.encode() not in world.stored()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "http://user:pass@example.org/"}, "url"),
        ({"url": "http:///x"}, "url"),
        ({"url": "http://example.org:99999/"}, "url"),
        ({"filter": "colour=blue"}, "filter"),
        ({"secret": "short"}, "secret"),
        ({"secret": None}, "secret"),
    ],
)
def test_nonsense_is_refused(world: World, values: dict[str, Any], field: str) -> None:
    body = {"url": "https://example.org/hook", "secret": SECRET} | values
    refused = world.ask("PUT", "/webhooks/chat", body, expect=422)
    assert refused["field"] == field and SECRET not in json.dumps(refused) and "pass@" not in json.dumps(refused)


def test_only_administrators_have_webhooks(world: World) -> None:
    for method, path in (("GET", "/webhooks"), ("PUT", "/webhooks/x"), ("GET", "/webhooks/x/deliveries")):
        assert world.call(method, path, {} if method == "PUT" else None, token=world.user).status_code == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "[::1]", "169.254.169.254", "[fe80::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]",
             "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "localhost"]
)  # fmt: skip
def test_the_services_own_host_is_not_reached(host: str) -> None:
    if host != "localhost":
        with pytest.raises(Invalid):
            Outbound().check("url", f"http://{host}:9/")
    with pytest.raises(Unreachable):
        Outbound().post(f"http://{host}:9/", b"", {})


def test_other_forms_of_an_address_are_judged_as_what_they_mean() -> None:
    for host in ("2130706433", "0x7f.1", "127.1"):
        with pytest.raises(Unreachable):
            Outbound().post(f"http://{host}:9/", b"", {})
