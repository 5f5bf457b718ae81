"""The read-only pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.world import Work, World


@pytest.fixture
def browser(world: World) -> Iterator[FlaskClient]:
    with world.app.test_client() as client:
        yield client


def _sign_in(browser: FlaskClient, token: str) -> None:
    answer = browser.post("/login", data={"token": token})
    assert (answer.status_code, answer.location) == (302, "/")


def test_pages_show_nodes_and_operations(world: World, browser: FlaskClient) -> None:
    world.image()
    world.ready_node("m1", tags=["<b>"[1]])
    world.acquire("web")
    work = Work(world, "m1")
    work.report("steps", step="boot", message="<script>alert(1)</script>")
    _sign_in(browser, world.user)
    front = browser.get("/").text
    assert "m1" in front
    assert "deploying" in front
    assert "alice" in front
    page = browser.get(f"/operations/{work.id}").text
    assert "Boot the ephemeral OS" in page
    assert "<script>" not in page
    assert "D1" in browser.get("/nodes/m1").text
    assert browser.get("/nodes/nobody").status_code == 404
    assert browser.get("/static/metalpool.css").status_code == 200


def test_cookie_holds_no_token_and_dies_with_it(world: World, browser: FlaskClient) -> None:
    _sign_in(browser, world.user)
    cookie = browser.get_cookie("__Host-metalpool")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.secure
    assert cookie.same_site == "Lax"
    assert world.user not in cookie.value
    own = world.get("/tokens", token=world.user)["items"][-1]
    world.ask("DELETE", f"/tokens/{own['id']}", token=world.user, expect=204)
    assert browser.get("/").location == "/login"


def test_others_operations_are_not_shown(world: World, browser: FlaskClient) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    work = Work(world, "m1")
    _sign_in(browser, world.other)
    assert browser.get(f"/operations/{work.id}").status_code == 404
    assert work.id not in browser.get("/").text


def test_wrong_token_does_not_sign_in_and_guessing_is_limited(world: World, browser: FlaskClient, clock_at: Any) -> None:
    clock_at()
    codes = [browser.post("/login", data={"token": "mp_guess"}).status_code for unused in range(12)]
    assert codes[:10] == [401] * 10
    assert codes[-1] == 429


def test_signing_out(world: World, browser: FlaskClient) -> None:
    _sign_in(browser, world.admin)
    assert browser.get("/").status_code == 200
    assert browser.post("/logout").status_code == 403
    assert browser.get("/").status_code == 200
    token = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', browser.get("/").text)
    assert token is not None
    browser.post("/logout", data={"csrf_token": token.group(1)})
    assert browser.get("/").status_code == 302


def test_headers_keep_strangers_out(world: World, browser: FlaskClient) -> None:
    headers = browser.get("/login").headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
