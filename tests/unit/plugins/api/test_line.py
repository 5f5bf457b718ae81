"""Waiting in line, against a service whose answers a test says."""

from __future__ import annotations

from typing import Any

from ansible_collections.metalpool.core.plugins.module_utils import _api
from ansible_collections.metalpool.core.plugins.module_utils._api import Api
from ansible_collections.metalpool.core.plugins.module_utils._polling import line_versions
from ansible_collections.metalpool.core.plugins.module_utils._settings import Settings
from scripted_service import Reply, Service


def _allocation(state: str, place: int | None = None) -> dict[str, Any]:
    return {"name": "web/1", "state": state, "place": place, "node": None if place else "m1"}


def test_the_line_is_polled_until_there_is_a_node(service: Service, monkeypatch) -> None:
    monkeypatch.setattr(_api, "POLL_PACE", 0)
    answers = [_allocation("waiting", 1), _allocation("waiting", 1), _allocation("allocated")]
    service.script(*(Reply(200, one) for one in answers))
    api = Api(Settings(service.url, "mp_secret"))
    seen = list(line_versions(api, _allocation("waiting", 2), None))
    assert [one["place"] for one in seen] == [2, 1, 1, None]
    assert {call.path for call in service.calls} == {"/api/v1/allocations/web%2F1?wait=10"}


def test_what_does_not_wait_is_not_polled(service: Service) -> None:
    api = Api(Settings(service.url, "mp_secret"))
    assert list(line_versions(api, _allocation("allocated"), None)) == [_allocation("allocated")]
    assert service.calls == []


def test_looking_has_an_end(service: Service, monkeypatch) -> None:
    monkeypatch.setattr(_api, "POLL_PACE", 0)
    service.answer = lambda _call: Reply(200, _allocation("waiting", 1))
    api = Api(Settings(service.url, "mp_secret"))
    assert list(line_versions(api, _allocation("waiting", 1), 0.2))[-1]["state"] == "waiting"
