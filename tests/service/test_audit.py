"""The audit log: filtered, and exported without being held as a whole."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from urllib.parse import quote

import pytest

from inventory_service import clock
from inventory_service.api import audit
from inventory_service.events import record
from tests.service.world import World


@pytest.fixture
def eventful(still_world: World) -> World:
    with still_world.services.database.write() as session:
        for number in range(1200):
            record(session, "thing.done", f"actor{number % 3}", user=f"u{number % 2}", text="=1+1, \"x\"\n")
        record(session, "formula.made", "=cmd")
    return still_world


def _lines(world: World, query: str, token: str = "") -> list[dict[str, object]]:
    answer = world.call("GET", f"/audit-log?{query}", token=token)
    assert (answer.status_code, answer.mimetype) == (200, "application/jsonl"), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_all_of_it_is_exported_once_and_in_order(eventful: World) -> None:
    lines = _lines(eventful, "")
    numbers = [one["id"] for one in lines]
    assert len(lines) > 1200 and numbers == sorted(set(numbers))
    listed = eventful.get(f"/events?limit=5&after={numbers[9]}")["items"]
    assert lines[10:15] == listed == _lines(eventful, f"after={numbers[9]}")[:5]
    assert _lines(eventful, f"after={numbers[-1]}") == []


def test_it_is_filtered_by_actor_kind_time_and_object(eventful: World) -> None:
    def count(text: str) -> int:
        return len(_lines(eventful, f"filter={quote(text)}"))

    assert count("actor=actor1") == 400
    assert count("kind=thing.done user=u1 actor=actor0,actor2") == 400
    assert count("kind~thing at>=1h") == 1200
    assert count(f"at>={(clock.now() + timedelta(hours=1)).isoformat()}") == 0
    assert len(eventful.get("/events?limit=1000&filter=user%3Dalice")["items"]) >= 1
    assert eventful.get("/audit-log?filter=colour%3Dred", expect=422)["field"] == "filter"
    eventful.get("/audit-log?format=pdf", expect=422)


def test_as_csv_no_cell_is_a_formula(eventful: World) -> None:
    answer = eventful.call("GET", "/audit-log?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == audit.COLUMNS and len(rows) == len(_lines(eventful, ""))
    (formula,) = [one for one in rows if one["kind"] == "formula.made"]
    assert formula["actor"] == "'=cmd"
    assert json.loads(rows[-2]["detail"])["text"] == "=1+1, \"x\"\n"


def test_one_exports_what_one_may_see(eventful: World) -> None:
    assert _lines(eventful, "", token=eventful.user) == []
    assert eventful.call("GET", "/audit-log", token=eventful.worker).status_code == 403


def test_it_is_read_in_parts(eventful: World) -> None:
    client = eventful.app.test_client()
    answer = client.get("/api/v1/audit-log", headers={"Authorization": f"Bearer {eventful.admin}"}, buffered=False)
    parts = list(answer.response)
    assert [len(one.splitlines()) for one in parts][:2] == [audit.AT_ONCE] * 2
