"""Signing in by password or token, and what a session is worth, to its user and to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from inventory_service.models import Password
from inventory_service.passwords import hash_password, is_right
from tests.service.world import World

PASSWORD = "correct horse battery"
COOKIE = "__Host-metalpool"


@pytest.fixture
def browser(still_world: World) -> FlaskClient:
    still_world.ask("PUT", "/users/alice/password", {"password": PASSWORD}, expect=204)
    return still_world.app.test_client()


def _log_in(browser: FlaskClient, expect: int = 200, **said: str) -> Any:
    answer = browser.post("/api/v1/login", json={"user": "alice", "password": PASSWORD} | said)
    assert answer.status_code == expect, answer.text
    return answer.get_json()


def _cookie(browser: FlaskClient) -> str:
    found = browser.get_cookie(COOKIE)
    assert found is not None
    return found.value


def test_a_password_signs_in_and_only_the_right_one(still_world: World, browser: FlaskClient) -> None:
    assert browser.get("/api/v1/whoami").status_code == 401
    said = [_log_in(browser, 401, **wrong)["detail"] for wrong in ({"password": "x" * 12}, {"user": "bob"}, {"user": "nobody"})]
    assert len(set(said)) == 1
    begun = _log_in(browser)
    assert (begun["user"], begun["method"], begun["current"]) == ("alice", "password", True)
    assert browser.get("/api/v1/whoami").get_json()["user"] == "alice"
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None and cookie.http_only and cookie.secure and cookie.same_site == "Lax" and cookie.path == "/"
    stored = still_world.stored()
    assert cookie.value.encode() not in stored and PASSWORD.encode() not in stored
    with still_world.services.database.read() as session:
        (kept,) = session.scalars(select(Password.argon2))
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    kinds = [one["kind"] for one in still_world.events()]
    assert kinds.count("security.login-refused") == 3 and kinds.count("session.began") == 1


def test_the_session_is_new_at_each_login(still_world: World, browser: FlaskClient) -> None:
    browser.set_cookie(COOKIE, "planted")
    _log_in(browser)
    first = _cookie(browser)
    assert first != "planted"
    _log_in(browser)
    assert _cookie(browser) != first
    browser.set_cookie(COOKIE, first)
    assert browser.get("/api/v1/whoami").status_code == 401
    assert len(still_world.get("/sessions", token=still_world.user)["items"]) == 1


def test_changes_need_the_token_against_forgery(browser: FlaskClient) -> None:
    token = _log_in(browser)["csrf_token"]
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": "\u00e4"}, {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}):
        assert browser.post("/api/v1/tokens", json={}, headers=headers).status_code == 403, headers
        assert browser.delete("/api/v1/sessions/1", headers=headers).status_code == 403
    assert browser.post("/api/v1/tokens", json={}, headers={"X-CSRF-Token": token}).status_code == 201
    forged = browser.post("/login", data={"user": "alice", "password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403


def test_logging_out_ends_it_at_once(still_world: World, browser: FlaskClient) -> None:
    headers = {"X-CSRF-Token": _log_in(browser)["csrf_token"]}
    cookie = _cookie(browser)
    assert browser.post("/api/v1/logout", headers=headers).status_code == 204
    assert browser.get_cookie(COOKIE) is None
    browser.set_cookie(COOKIE, cookie)
    assert browser.get("/api/v1/whoami").status_code == 401
    assert still_world.events("session.ended")


def test_sessions_are_listed_and_ended_from_elsewhere(still_world: World, browser: FlaskClient) -> None:
    number = _log_in(browser)["id"]
    assert still_world.get("/sessions", token=still_world.other)["items"] == []
    still_world.ask("DELETE", f"/sessions/{number}", token=still_world.other, expect=404)
    (listed,) = still_world.get("/sessions", token=still_world.user)["items"]
    assert (listed["id"], listed["current"]) == (number, False)
    still_world.ask("DELETE", f"/sessions/{number}", expect=204)
    assert browser.get("/api/v1/whoami").status_code == 401


def test_sessions_end_by_themselves(still_world: World, browser: FlaskClient, clock_at: Callable[..., Any]) -> None:
    clock_at()
    _log_in(browser)
    for hours in (20, 40, 60, 80, 100, 120, 140, 160):
        clock_at(hours=hours)
        assert browser.get("/api/v1/whoami").status_code == 200, hours
    clock_at(hours=169)
    assert browser.get("/api/v1/whoami").status_code == 401
    _log_in(browser)
    clock_at(hours=169 + 25)
    assert browser.get("/api/v1/whoami").status_code == 401
    still_world.keep_time()
    assert still_world.get("/sessions")["items"] == []


def test_a_session_of_a_token_is_worth_what_the_token_is(still_world: World, browser: FlaskClient) -> None:
    made = still_world.post("/tokens", {"scope": "read"}, expect=201)
    begun = _log_in(browser, method="token", token=made["token"])
    headers = {"X-CSRF-Token": begun["csrf_token"]}
    assert browser.get("/api/v1/whoami").get_json()["role"] == "user"
    assert browser.put("/api/v1/zones/x", json={}, headers=headers).status_code == 403
    still_world.ask("DELETE", f"/tokens/{made['id']}", expect=204)
    assert browser.get("/api/v1/whoami").status_code == 401


def test_a_password_is_changed_with_the_one_before(still_world: World, browser: FlaskClient) -> None:
    headers = {"X-CSRF-Token": _log_in(browser)["csrf_token"]}
    elsewhere = still_world.app.test_client()
    _log_in(elsewhere)
    path, new = "/api/v1/users/alice/password", {"password": "another good one"}
    for wrong in ({}, {"current": "x" * 12}):
        refused = browser.put(path, json=new | wrong, headers=headers)
        assert (refused.status_code, refused.get_json()["field"]) == (422, "current")
    assert browser.put(path, json=new | {"current": PASSWORD}, headers=headers).status_code == 204
    assert browser.get("/api/v1/whoami").status_code == 200
    assert elsewhere.get("/api/v1/whoami").status_code == 401
    _log_in(browser, 401)
    _log_in(browser, password=new["password"])
    said = [still_world.ask("PUT", f"/users/{name}/password", new, token=still_world.other, expect=404) for name in ("alice", "nobody")]
    assert said[0]["detail"].replace("alice", "nobody") == said[1]["detail"]
    still_world.ask("DELETE", "/users/alice/password", token=still_world.user, expect=403)
    still_world.ask("DELETE", "/users/alice/password", expect=204)
    _log_in(browser, 401, password=new["password"])


@pytest.mark.parametrize("password", ["short", "x" * 1001, "Alice"])
def test_a_password_that_is_none_is_refused_and_not_repeated(still_world: World, password: str) -> None:
    refused = still_world.call("PUT", "/users/alice/password", {"password": password})
    assert refused.status_code == 422
    assert password not in refused.text.replace("users/alice", "")


def test_guessing_is_limited(browser: FlaskClient, clock_at: Callable[..., Any]) -> None:
    clock_at()
    guess = {"method": "token", "token": "mp_x"}
    assert [browser.post("/api/v1/login", json=guess).status_code for _try in range(11)] == [401] * 10 + [429]


def test_nobody_takes_as_long_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    from inventory_service import passwords

    seen: list[str] = []

    class Counted:
        def hash(self, _password: str) -> str:
            return "of nobody"

        def verify(self, kept: str, _password: str) -> bool:
            seen.append(kept)
            return True

    monkeypatch.setattr(passwords, "_HASHER", Counted())
    passwords._nobodys.cache_clear()
    assert not is_right(None, PASSWORD) and is_right("kept", PASSWORD)
    assert seen == ["of nobody", "kept"]
    passwords._nobodys.cache_clear()


def test_more_than_can_be_hashed_wait_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from inventory_service import passwords
    from inventory_service.problems import TooMany

    monkeypatch.setattr(passwords, "_IN_LINE", threading.BoundedSemaphore(1))
    with passwords._turn(), pytest.raises(TooMany):
        hash_password("alice", PASSWORD)


def test_the_page_takes_both(still_world: World, browser: FlaskClient) -> None:
    page = browser.get("/login").text
    assert 'name="password"' in page and 'name="token"' in page
    assert browser.post("/login", data={"user": "alice", "password": "wrong" * 3}).status_code == 401
    assert browser.post("/login", data={"method": "password", "user": "alice"}).status_code == 401
    assert browser.post("/login", data={"method": "password", "user": "alice", "password": PASSWORD}).location == "/"
    assert "alice (user)" in browser.get("/").text


def test_the_command_sets_a_password(still_world: World) -> None:
    from click.testing import CliRunner

    from inventory_service.cli import main

    environment = {"METALPOOL_STATE_DIR": str(still_world.settings.state_dir), "METALPOOL_DATABASE_URL": still_world.settings.database}
    done = CliRunner().invoke(main, ["user", "password", "alice"], env=environment, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    _log_in(still_world.app.test_client())
