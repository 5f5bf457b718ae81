"""Secrets that are planted and looked for: in answers, pages, events, metrics, errors, logs, and in the database's own bytes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.service.world import KEY, Work, World

BMC, OTHER_BMC = "canary-bmc", "canary-next-bmc"
PASSWORD, NEW_PASSWORD, WRONG = "canary of a password", "canary of the next password", "canary of a guess"
HASH = "$6$canaryOfAHash$" + "x" * 86
USER_DATA = "#cloud-config\n# canary of user data"
GUESSED = "mp_canaryofatokenthatisnone"


@pytest.fixture
def said(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """All that is answered to anybody, but for the two answers that a secret is meant for: a new token, and a worker's claim."""
    heard: list[tuple[str, str]] = []
    call = World.call

    def listening(self: World, method: str, path: str, *words: Any, **more: Any) -> Any:
        answer = call(self, method, path, *words, **more)
        if not (answer.status_code < 300 and ((method, path) == ("POST", "/tokens") or path.endswith("/claims"))):
            heard.append((f"{method} {path}", f"{answer.headers} {answer.text}"))
        return answer

    monkeypatch.setattr(World, "call", listening)
    return heard


def test_no_secret_is_shown_anywhere(world: World, said: list[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.image()
    bmc = {"address": "192.0.2.9", "username": "admin", "password": BMC}
    world.ready_node("m1")
    world.add_node("m2", bmc=bmc)
    world.ask("PATCH", "/nodes/m1", {"bmc": bmc | {"password": OTHER_BMC}})
    made = world.post("/tokens", {"name": "mine"}, token=world.user, expect=201)["token"]
    world.ask("PUT", "/users/alice/password", {"password": PASSWORD}, expect=204)
    for guess in ({"user": "alice", "password": WRONG}, {"method": "token", "token": GUESSED}):
        world.post("/login", guess, token=None, expect=401)
    world.ask("PUT", "/users/alice/password", {"password": NEW_PASSWORD, "current": PASSWORD}, token=made, expect=204)
    credentials = {"ssh_keys": [KEY], "password_hash": HASH, "user_data": USER_DATA}
    world.acquire("web", credentials=credentials, token=made, constraints={"node": "m1"})
    world.acquire("later", credentials=credentials, token=made, constraints={"node": "m1"}, expect=409)
    Work(world, "m1").deploy()

    # What is wrong is told, and not repeated.
    for method, path, body in (
        ("POST", "/nodes", {"name": "m3", "bmc": bmc | {"port": "x"}, "interfaces": []}),
        ("POST", "/nodes", {"name": "m3", "bmc": {"passwort": BMC}, "interfaces": [{"mac": "x"}]}),
        ("PATCH", "/nodes/m1", {"bmc": bmc | {"password": [OTHER_BMC]}}),
        ("POST", "/allocations", {"credentials": {"user_data": [USER_DATA], "password_hash": HASH + "\n"}}),
        ("POST", "/allocations", {"credentials": USER_DATA}),
        ("PUT", "/users/alice/password", {"password": [PASSWORD]}),
        ("PUT", "/users/alice/password", {"password": PASSWORD, "current": WRONG, "again": NEW_PASSWORD}),
        ("PUT", "/users/alice/password", {"password": NEW_PASSWORD, "current": PASSWORD + "x" * 1000}),
        ("POST", "/login", {"method": "token", "token": GUESSED + "x" * 1000}),
        ("POST", "/login", {"methods": GUESSED, "pasword": PASSWORD}),
        ("POST", "/login", {"method": "smoke", "token": GUESSED, "password": PASSWORD}),
        ("POST", "/login", {"user": "alice", "password": [PASSWORD]}),
        ("POST", "/login", {"password": PASSWORD + "x" * 1000}),
    ):
        world.ask(method, path, body, expect=422)
    world.ask("GET", "/whoami", token=GUESSED, expect=401)

    browser = world.app.test_client()
    login = browser.post("/api/v1/login", json={"user": "alice", "password": NEW_PASSWORD})
    cookie = browser.get_cookie("__Host-metalpool")
    assert login.status_code == 200 and cookie is not None
    paths = ["/", "/nodes/m1", "/login", *(f"/operations/{one['id']}" for one in world.get("/operations")["items"])]
    for path in paths:
        said.append((f"page {path}", browser.get(path).text))
    said.append(("page of an error", browser.post("/login", data={"user": "alice", "password": WRONG}).text))
    for rule in world.app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and "GET" in (rule.methods or ()) and not rule.arguments:
            for token in (world.admin, world.user, made):
                world.call("GET", rule.rule.removeprefix("/api/v1"), token=token)
    for path in ("/nodes/m1", "/nodes/m2", "/allocations/web", "/nodes/m1/events", "/users/alice", "/events?limit=1000"):
        world.get(path)
    said.append(("metrics", world.app.test_client().get("/metrics", headers={"Authorization": f"Bearer {world.admin}"}).text))
    said.append(("logs", caplog.text))

    secrets = (BMC, OTHER_BMC, PASSWORD, NEW_PASSWORD, WRONG, HASH, "canary of user data", GUESSED,
               made, world.admin, world.user, world.worker, cookie.value)  # fmt: skip
    shown = {(where, secret) for where, text in said for secret in secrets if secret in text}
    assert shown == set()
    stored = world.stored()
    assert [secret for secret in secrets if secret.encode() in stored] == []
    assert len(said) > 100
