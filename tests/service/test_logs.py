"""The log: one line for each request, for people or for programs, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from inventory_service.logs import JsonFormatter, TextFormatter
from tests.service.world import World

CANARY = "canary-5a1f"


@pytest.fixture
def lines() -> Iterator[dict[str, io.StringIO]]:
    """What is logged meanwhile, in each format."""
    written = {"json": io.StringIO(), "text": io.StringIO()}
    root = logging.getLogger()
    level, handlers = root.level, []
    for form, formatter in (("json", JsonFormatter()), ("text", TextFormatter())):
        handler = logging.StreamHandler(written[form])
        handler.setFormatter(formatter)
        handlers.append(handler)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


def test_each_request_is_one_line_that_names_its_route_and_no_values(still_world: World, lines: dict[str, io.StringIO]) -> None:
    still_world.add_node("m1")
    for written in lines.values():
        written.truncate(0)
        written.seek(0)
    answer = still_world.call("GET", "/nodes/m1?x=" + CANARY, token=still_world.user, headers={"X-Request-ID": "request-0001"})
    [line] = [json.loads(one) for one in lines["json"].getvalue().splitlines()]
    said = {"request_id": "request-0001", "user": "alice", "method": "GET", "route": "/api/v1/nodes/<name>", "source": "127.0.0.1"}
    assert said.items() <= line.items()
    assert (line["level"], line["status"]) == ("info", answer.status_code)
    assert 0 < line["seconds"] < 5 and line["time"].endswith("Z")
    assert "GET /api/v1/nodes/<name> 200" in lines["text"].getvalue() and "request_id=request-0001" in lines["text"].getvalue()


def test_no_secret_is_in_any_line(still_world: World, lines: dict[str, io.StringIO]) -> None:
    world = still_world
    world.add_node("m1", bmc={"address": "192.0.2.1", "username": "admin", "password": CANARY})
    world.call("GET", f"/boot/ipxe?mac=52:54:00:00:00:01&nonce={CANARY}", token=None)
    world.call("POST", f"/boot/phone-home/{CANARY}", {"token": CANARY}, token=None)
    world.call("POST", "/boot/checkin", {"token": CANARY}, token=None)
    world.call("POST", "/nodes", {"name": "m1", "bmc": {"password": CANARY}})
    world.call("GET", "/whoami", token=CANARY)
    world.call("GET", f"/{CANARY}", token=None)
    said = "".join(written.getvalue() for written in lines.values())
    assert "/boot/phone-home/<token>" in said
    assert CANARY not in said and world.admin not in said


def test_what_the_database_refuses_is_said_without_values(still_world: World) -> None:
    from sqlalchemy import text

    with pytest.raises(Exception, match="nowhere") as refused, still_world.services.database.read() as session:
        session.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": CANARY})
    assert CANARY not in str(refused.value)


def test_an_exception_is_in_its_line() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    log = logging.Logger("x")
    log.addHandler(handler)
    try:
        raise ZeroDivisionError("by\nnothing")
    except ZeroDivisionError:
        log.exception("it failed")
    line = json.loads(written.getvalue())
    assert (line["message"], line["level"]) == ("it failed", "error") and "ZeroDivisionError" in line["exception"]
