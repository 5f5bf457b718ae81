"""API tokens: what each scope lets, who may make and revoke which, and that a revoked one opens nothing from then on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from inventory_service import clock
from inventory_service.app import create_app
from inventory_service.auth import SCOPES
from inventory_service.models import User
from inventory_service.services import open_services
from tests.service.world import World


def _make(world: World, token: str, **wanted: Any) -> str:
    secret: str = world.post("/tokens", wanted, token=token, expect=201)["token"]
    return secret


def test_a_token_is_shown_once_and_listed_without_itself(still_world: World) -> None:
    until = clock.now() + timedelta(days=7)
    made = still_world.post("/tokens", {"name": "CI", "scope": "read", "expires_at": until.isoformat()}, token=still_world.user, expect=201)
    secret = made.pop("token")
    assert secret.startswith("mp_") and secret.endswith(made["hint"])
    assert still_world.get(f"/tokens/{made['id']}", token=still_world.user) == made
    assert (made["user"], made["role"], made["scope"], made["name"]) == ("alice", "user", "read", "CI")
    assert made["last_used_at"] is None
    still_world.get("/whoami", token=secret)
    assert still_world.get(f"/tokens/{made['id']}", token=still_world.user)["last_used_at"]
    assert secret not in still_world.call("GET", "/tokens").text
    assert [one["id"] for one in still_world.get("/tokens?user=alice")["items"]][-1] == made["id"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scope": "all"}, "scope"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2090-01-01T00:00:00"}, "expires_at"),
        ({"rack": "nowhere"}, "rack"),
        ({"user": "nobody"}, "user"),
    ],
)
def test_nonsense_is_refused(still_world: World, wanted: dict[str, Any], field: str) -> None:
    assert still_world.post("/tokens", wanted, expect=422)["field"] == field


def test_a_token_is_worth_no_more_than_its_scope(still_world: World) -> None:
    world = still_world
    for number in range(7):
        world.ready_node(f"m{number}")
    world.add_node("other")
    world.ask("PUT", "/grants", {"user": "alice", "pool": "default", "role": "operator"})
    for who, owner in (("alice", world.user), ("root", world.admin)):
        tokens = {scope: _make(world, owner, scope=scope) for scope in SCOPES}
        for scope, token in tokens.items():
            refused = {"expect": 403}
            plan = {"deploy": False}
            world.post("/allocation-plans", plan, token=token, expect=409 if scope == "read" else 200)
            world.post("/allocations", plan | {"name": f"{who}-{scope}"}, token=token, expect=403 if scope == "read" else 201)
            operates = scope in ("operate", "admin")
            world.ask("PATCH", "/nodes/other", {"comment": scope}, token=token, **({} if operates else refused))
            assert bool(world.get("/nodes/other", token=token)["bmc"]) == operates
            full = owner == world.admin and scope == "admin"
            world.ask("PUT", "/zones/x", {}, token=token, **({} if full else refused))
            assert world.get("/whoami", token=token)["role"] == ("admin" if full else "user")
            for method, path in (("GET", "/tokens"), ("POST", "/tokens")):
                answer = world.call(method, path, {} if method == "POST" else None, token=token)
                assert (answer.status_code == 403) == (scope != "admin"), (scope, method)


def test_no_token_is_made_that_is_worth_more_than_what_asks_for_it(still_world: World) -> None:
    for wanted in ({"user": "bob"}, {"user": "nobody"}, {"rack": "local"}):
        still_world.post("/tokens", wanted, token=still_world.user, expect=403)
    mine = _make(still_world, still_world.user)
    still_world.ask("PUT", "/zones/x", {}, token=mine, expect=403)
    of_bob = _make(still_world, still_world.admin, user="bob")
    assert still_world.get("/whoami", token=of_bob)["role"] == "user"
    of_rack = _make(still_world, still_world.admin, user="worker", rack="local")
    assert still_world.get("/whoami", token=of_rack)["rack"] == "local"
    assert still_world.get("/whoami", token=_make(still_world, still_world.admin))["role"] == "admin"


def test_who_is_no_administrator_any_more_has_no_token_of_one(still_world: World) -> None:
    with still_world.services.database.write() as session:
        session.execute(update(User).where(User.name == "root").values(administrator=False))
    assert still_world.get("/whoami")["role"] == "user"
    still_world.ask("PUT", "/zones/x", {}, expect=403)
    with still_world.services.database.write() as session:
        session.execute(update(User).where(User.name == "root").values(disabled_at=clock.now()))
    still_world.get("/whoami", expect=401)


def test_one_revokes_ones_own_and_an_administrator_everybodys(still_world: World) -> None:
    mine = {one["user"]: one["id"] for one in still_world.get("/tokens")["items"]}
    assert {one["user"] for one in still_world.get("/tokens", token=still_world.user)["items"]} == {"alice"}
    assert still_world.get("/tokens?user=bob", token=still_world.user)["items"] == []
    for method in ("GET", "DELETE"):
        theirs = still_world.ask(method, f"/tokens/{mine['bob']}", token=still_world.user, expect=404)
        nobodys = still_world.ask(method, "/tokens/4711", token=still_world.user, expect=404)
        assert theirs["detail"].replace(str(mine["bob"]), "4711") == nobodys["detail"]
    still_world.ask("DELETE", f"/tokens/{mine['alice']}", token=still_world.user, expect=204)
    still_world.get("/whoami", token=still_world.user, expect=401)
    still_world.ask("DELETE", f"/tokens/{mine['bob']}", expect=204)
    still_world.ask("DELETE", f"/tokens/{mine['bob']}", expect=204)
    still_world.get("/whoami", token=still_world.other, expect=401)
    assert len(still_world.events("token.revoked")) == 2


def test_what_is_revoked_in_one_process_opens_nothing_in_another(still_world: World) -> None:
    other_process = open_services(still_world.settings)
    with create_app(other_process).test_client() as client:
        headers = {"Authorization": f"Bearer {still_world.user}"}
        assert client.get("/api/v1/whoami", headers=headers).status_code == 200
        own = still_world.get("/tokens", token=still_world.user)["items"][-1]
        still_world.ask("DELETE", f"/tokens/{own['id']}", token=still_world.user, expect=204)
        assert client.get("/api/v1/whoami", headers=headers).status_code == 401
    other_process.sandbox.close()
    other_process.database.close()


def test_last_use_is_written_once_a_minute(still_world: World, clock_at: Callable[..., Any]) -> None:
    written: list[str] = []
    event.listen(
        still_world.services.database.engine, "before_cursor_execute",
        lambda _c, _cursor, statement, *_more: written.append(statement) if statement.startswith("UPDATE token") else None,
    )  # fmt: skip
    for seconds, writes in ((0, 1), (1, 1), (59, 1), (61, 2), (62, 2)):
        clock_at(seconds=seconds)
        still_world.get("/whoami", token=still_world.user)
        assert len(written) == writes, seconds
