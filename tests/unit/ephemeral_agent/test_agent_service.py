"""How long the agent insists, and when it gives up. The clock is the test's; the answers are what the service sends."""

import pytest
from metalpool_agent import service


@pytest.fixture
def answers(monkeypatch):
    """A list of (status, answer) that the service gives, the last one again and again; waiting takes no time."""
    planned = []
    clock = [0.0]

    def ask(_url, _document):
        clock[0] += 1
        return planned.pop(0) if len(planned) > 1 else planned[0]

    def sleep(seconds):
        clock[0] += seconds

    monkeypatch.setattr(service, "ask", ask)
    monkeypatch.setattr(service.time, "sleep", sleep)
    return planned, lambda: clock[0]


def test_check_in_tries_until_it_is_let_in(answers):
    planned, clock = answers
    planned += [(0, {}), (503, {}), (403, {"detail": "no nonce"}), (200, {"authorized_keys": ["k"]})]
    assert service.check_in("u", dict, clock) == ["k"]


def test_check_in_shows_a_nonce_that_came_late(answers):
    planned, clock = answers
    planned += [(403, {}), (200, {"authorized_keys": ["k"]})]
    asked = []
    service.check_in("u", lambda: asked.append(1) or {}, clock)
    assert len(asked) == 2


def test_refused_for_ten_minutes(answers):
    planned, clock = answers
    planned += [(403, {})]
    with pytest.raises(service.Refused, match="600"):
        service.check_in("u", dict, clock)
    assert 600 < clock() < 640


def test_a_boot_that_is_over_ends_at_once(answers):
    planned, clock = answers
    planned += [(410, {})]
    with pytest.raises(service.Refused):
        service.check_in("u", dict, clock)
    assert clock() < 5


def test_a_service_that_is_away_is_waited_for(answers):
    planned, clock = answers
    planned += [(0, {})] * 200 + [(200, {"authorized_keys": ["k"]})]
    assert service.check_in("u", dict, clock) == ["k"]
    assert clock() > 1200


def test_enlist_backs_off_when_told(answers):
    planned, clock = answers
    planned += [(429, {})] * 5 + [(201, {"claim": "c", "node": "n"})]
    assert service.enlist("u", {}) == "c"
    assert clock() >= 1 + 2 + 4 + 8 + 15


def test_nobody_accepts(answers):
    planned, clock = answers
    planned += [(204, {})]
    with pytest.raises(service.Refused, match="7200"):
        service.wait_for_acceptance("u", "c", clock)


def test_accepted(answers):
    planned, clock = answers
    planned += [(204, {}), (0, {}), (200, {"boot": "b", "token": "t"})]
    assert service.wait_for_acceptance("u", "c", clock) == ("b", "t")
