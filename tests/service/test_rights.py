"""Rights in pools: every route is walked as each role, and what one may not see does not exist for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy.orm import Session

from inventory_service.api.authentication import NEEDS, authentication_of, needed_role
from tests.service.world import Work, World

ROLES = ("none", "viewer", "user", "operator")
REFUSED = {
    "nobody": {},
    "anyone": {},
    "account": {},
    "viewer": {"none": 404},
    "user": {"none": 404, "viewer": 403},
    "holder": {"none": 404, "viewer": (403, 404), "user": (403, 404)},
    "owner": {"none": 404, "viewer": (403, 404), "user": (403, 404), "operator": 403},
    "operator": {"none": 404, "viewer": 403, "user": 403},
    "administrator": dict.fromkeys(ROLES, 403),
    "worker": dict.fromkeys(ROLES, 403),
}
"""What each role is answered where it may not; where it may, it is answered something else."""
NAMES = {
    "nodes": "m1", "allocations": "web", "pools": "secret", "images": "debian-12", "users": "alice", "groups": "team",
    "ssh-keys": "of-a-test", "racks": "local", "tags": "rare",
}  # fmt: skip
BODIES: Mapping[str, dict[str, Any]] = {
    "PATCH /nodes/m1": {"comment": "x"},
    "PATCH /users/alice": {"administrator": False},
    "POST /nodes/m1/state": {"verb": "set_aside", "comment": "x"},
    "POST /nodes/m1/operations": {"kind": "release"},
    "POST /allocations/web/extend": {"lease": "1h"},
}
"""What makes a request of a view that is not for everyone a sensible one."""


def _of(world: World, role: str) -> str:
    token = world.token(f"the-{role}", "user")
    if role != "none":
        world.ask("PUT", "/grants", {"user": f"the-{role}", "pool": "secret", "role": role})
    return token


@pytest.fixture
def pool(world: World) -> World:
    """A pool whose default role is ``none``, with a node that alice holds and is being deployed, and a free one."""
    world.image()
    world.ask("PUT", "/pools/secret", {"default_role": "none"})
    world.ask("PUT", "/grants", {"user": "alice", "pool": "secret", "role": "user"})
    world.ask("PUT", "/groups/team", {"members": ["alice"]})
    for path in ("/spaces/x", "/fabrics/x", "/zones/x"):
        world.ask("PUT", path, {})
    world.ask("PUT", "/vlans/x", {"fabric": "x", "vid": 0})
    world.ask("PUT", "/subnets/x", {"vlan": "x", "cidr": "192.0.2.0/24"})
    world.ready_node("m1", pool="secret")
    world.acquire("web")
    world.ready_node("m2", pool="secret", tags=["rare"])
    world.stop_engine()
    return world


def _api(world: World) -> Iterator[tuple[str, str, str]]:
    operation = world.get("/allocations/web")["operation"]
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/"):
            continue
        path = rule.rule.removeprefix("/api/v1")
        name = operation if path.startswith("/operations") else NAMES.get(path.split("/")[1], "x")
        path = re.sub(r"<int:[^>]+>", "1", path)
        path = re.sub(r"<[^>]+>", name, path, count=1)
        path = re.sub(r"<[^>]+>", "alice", path)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path, rule.endpoint


def test_every_view_says_what_it_needs(still_world: World) -> None:
    with still_world.app.app_context():
        for rule in still_world.app.url_map.iter_rules():
            if rule.rule.startswith("/api/v1/"):
                assert needed_role(rule.endpoint) in NEEDS, rule.endpoint
    assert set(REFUSED) == set(NEEDS)


def test_every_route_as_each_role(pool: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = {role: _of(pool, role) for role in ROLES} | {"administrator": pool.admin}
    routes = list(_api(pool))
    monkeypatch.setattr(Session, "commit", Session.flush)
    for method, path, endpoint in routes:
        with pool.app.app_context():
            need = needed_role(endpoint) or ""
        for role, token in tokens.items():
            answer = pool.call(method, path, BODIES.get(f"{method} {path}", {}) if method != "GET" else None, token=token)
            said = f"{method} {path} as {role}: {answer.status_code} {answer.text[:200]}"
            expected = REFUSED[need].get(role)
            if expected is None:
                assert answer.status_code not in (401, 403, 405, 500), said
                assert answer.status_code != 404 or need in ("nobody", "anyone", "account", "worker") or "/x" in path, said
            else:
                assert answer.status_code in (expected if isinstance(expected, tuple) else (expected,)), said


def test_what_one_may_not_see_does_not_exist(pool: World) -> None:
    nobody, viewer = _of(pool, "none"), _of(pool, "viewer")
    for path in ("/nodes", "/nodes?name=m1", "/nodes?tag=rare", "/allocations", "/operations", "/events"):
        assert pool.get(path, token=nobody)["items"] == [], path
    said = [pool.get(f"/nodes?filter=pool={one}", token=nobody, expect=422) for one in ("secret", "nowhere")]
    assert said[0]["detail"].replace("secret", "nowhere") == said[1]["detail"] and said[0]["allowed"] == ["default"]
    assert [one["name"] for one in pool.get("/pools", token=nobody)["items"]] == ["default"]
    assert pool.get("/nodes/m1", token=nobody, expect=404) | {"request_id": 0} == {
        "type": "not-found", "title": "There is no such thing", "status": 404, "detail": "there is no node 'm1'",
        "field": "node", "value": "m1", "request_id": 0,
    }  # fmt: skip
    assert [one["name"] for one in pool.get("/nodes", token=viewer)["items"]] == ["m1", "m2"]
    assert [one["name"] for one in pool.get("/pools", token=viewer)["items"]] == ["default", "secret"]
    for token in (nobody, viewer):
        refused = pool.acquire(token=token, expect=409)
        assert (refused["type"], refused["considered"]) == ("nothing-fits", 0)
        assert "m2" not in str(refused)
    for constraint, there, nowhere in (("pool", "secret", "nowhere"), ("node", "m2", "nowhere"), ("not_pool", "secret", "nowhere")):
        said = [pool.acquire(token=nobody, constraints={constraint: one}, expect=422) for one in (there, nowhere)]
        assert said[0]["detail"].replace(there, nowhere) == said[1]["detail"]
        assert said[0]["allowed"] == said[1]["allowed"]
        assert "secret" not in said[0]["allowed"]
    pool.acquire(token=viewer, constraints={"pool": "secret"}, expect=409)
    taken = pool.acquire("mine", token=_of(pool, "user"), constraints={"pool": "secret"})
    assert taken["node"] == "m2"
    assert pool.get("/whoami", token=nobody)["pools"] == {"default": "user"}
    assert pool.get("/whoami", token=viewer)["pools"] == {"default": "user", "secret": "viewer"}


def test_who_holds_a_node_sees_it_and_gives_it_back_whatever_changes(pool: World) -> None:
    (grant,) = pool.get("/grants?user=alice")["items"]
    pool.ask("DELETE", f"/grants/{grant['id']}", expect=204)
    assert [one["name"] for one in pool.get("/nodes", token=pool.user)["items"]] == ["m1"]
    assert pool.get("/nodes/m1", token=pool.user)["allocation"] == "web"
    pool.get("/nodes/m2", token=pool.user, expect=404)
    pool.acquire("another", expect=409)
    pool.post(f"/operations/{pool.get('/allocations/web')['operation']}/cancel", token=pool.user)


def test_an_operator_runs_the_pool_and_no_other(pool: World) -> None:
    operator = _of(pool, "operator")
    pool.add_node("elsewhere")
    assert pool.get("/nodes/m1", token=operator)["bmc"]["username"] == "admin"
    assert pool.get("/nodes/elsewhere", token=operator)["bmc"] is None
    shown = {node["name"]: node["bmc"] for node in pool.get("/nodes", token=operator)["items"]}
    assert shown["m1"] and not shown["elsewhere"]
    assert [one["name"] for one in pool.get("/allocations", token=operator)["items"]] == ["web"]
    assert {one["kind"] for one in pool.get("/nodes/m1/events", token=operator)["items"]} > {"node.added", "node.allocated"}
    assert {one["node"] for one in pool.get("/events", token=operator)["items"]} == {"m1", "m2"}
    pool.ask("PATCH", "/nodes/m2", {"comment": "mine to change"}, token=operator)
    for change in ({"bmc": {"address": "192.0.2.66"}}, {"rack": "local"}, {"pool": "default"}):
        refused = pool.ask("PATCH", "/nodes/m2", change, token=operator, expect=403)
        assert refused["field"] == next(iter(change))
    pool.ask("PATCH", "/nodes/elsewhere", {"comment": "x"}, token=operator, expect=403)
    pool.post("/nodes/elsewhere/operations", {"kind": "commission"}, token=operator, expect=403)
    pool.post("/nodes/m2/state", {"verb": "set_aside", "comment": "loud"}, token=operator)
    pool.post("/nodes/m2/operations", {"kind": "commission"}, token=operator, expect=202)
    Work(pool, "m1").result("failed", "no network")
    pool.start_engine()
    pool.post("/allocations/web/deploy", {}, token=operator, expect=403)


def test_groups_and_all_pools(pool: World) -> None:
    pool.ask("PUT", "/grants", {"group": "team", "role": "operator"})
    assert pool.get("/whoami", token=pool.user)["pools"] == {"default": "operator", "secret": "operator"}
    pool.ask("PUT", "/groups/team/members/bob", expect=204)
    assert pool.get("/groups/team")["members"] == ["alice", "bob"]
    pool.get("/nodes/m2", token=pool.other)
    pool.ask("DELETE", "/groups/team/members/bob", expect=204)
    pool.get("/nodes/m2", token=pool.other, expect=404)
    pool.ask("DELETE", "/groups/team", expect=204)
    assert pool.get("/grants?group=team")["items"] == []
    assert pool.get("/whoami", token=pool.user)["pools"] == {"default": "user", "secret": "user"}
    kinds = [one["kind"] for one in pool.get("/events?limit=1000")["items"]]
    for kind in ("group.added", "group.members-changed", "group.deleted", "grant.given", "user.added"):
        assert kind in kinds, kind


def test_a_grant_replaces_the_one_before(still_world: World) -> None:
    for role in ("viewer", "operator"):
        still_world.ask("PUT", "/grants", {"user": "alice", "pool": "default", "role": role})
    (grant,) = still_world.get("/grants")["items"]
    assert (grant["role"], grant["pool"], grant["user"], grant["group"]) == ("operator", "default", "alice", None)
    for body, field in (
        ({"user": "alice", "role": "administrator"}, "role"),
        ({"user": "nobody", "role": "viewer"}, "user"),
        ({"group": "nobody", "role": "viewer"}, "group"),
        ({"user": "alice", "group": "team", "role": "viewer"}, "user"),
        ({"role": "viewer"}, "user"),
        ({"user": "alice", "pool": "nowhere", "role": "viewer"}, "pool"),
    ):
        refused = still_world.ask("PUT", "/grants", body, expect=422)
        assert refused["field"] == field and refused["allowed"]
    still_world.ask("PUT", "/groups/team", {"members": ["nobody"]}, expect=422)
    assert still_world.get("/groups")["items"] == []
    assert still_world.post("/users", {"name": "carol"}, expect=201)["name"] == "carol"
    still_world.post("/users", {"name": "carol"}, expect=200)
    still_world.post("/users", {"name": "Carol!"}, expect=422)


def test_the_command_grants_what_the_api_shows(still_world: World) -> None:
    from click.testing import CliRunner

    from inventory_service.cli import main

    still_world.services.database.close()
    environment = {"METALPOOL_STATE_DIR": str(still_world.settings.state_dir), "METALPOOL_DATABASE_URL": still_world.settings.database}

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    run("group", "put", "team", "--member", "alice", "--member", "bob")
    number = run("grant", "give", "--role", "operator", "--group", "team", "--pool", "default").split()[1]
    run("grant", "give", "--role", "viewer", "--user", "alice")
    assert run("group", "list") == "team\talice, bob\n"
    assert run("grant", "list").splitlines()[0] == f"{number}\toperator\tgroup team\tpool default"
    assert still_world.get("/whoami", token=still_world.user)["pools"] == {"default": "operator"}
    run("grant", "take", number)
    run("group", "delete", "team")
    assert len(still_world.get("/grants")["items"]) == 1
    assert CliRunner().invoke(main, ["group", "put", "x", "--member", "nobody"], env=environment).exit_code == 1


def test_administrators_are_made_and_users_disabled_at_once(still_world: World) -> None:
    assert still_world.get("/users/alice")["administrator"] is False
    still_world.ask("PATCH", "/users/alice", {"administrator": True})
    full = still_world.post("/tokens", {"user": "alice"}, expect=201)["token"]
    still_world.ask("PUT", "/zones/x", {}, token=full)
    assert still_world.get("/whoami", token=still_world.user)["role"] == "user", "a token for a user stays one"
    still_world.ask("PATCH", "/users/alice", {"administrator": False})
    still_world.ask("PUT", "/zones/x", {}, token=full, expect=403)
    assert still_world.ask("PATCH", "/users/bob", {"disabled": True})["disabled_at"]
    still_world.get("/whoami", token=still_world.other, expect=401)
    still_world.ask("PATCH", "/users/bob", {"disabled": False})
    still_world.get("/whoami", token=still_world.other)
    still_world.ask("PATCH", "/users/admin", {"administrator": False})
    for change in ({"administrator": False}, {"disabled": True}):
        assert "no administrator" in still_world.ask("PATCH", "/users/root", change, expect=409)["detail"]
    assert len(still_world.events("user.changed")) == 5
    still_world.ask("PUT", "/groups/team", {"members": ["alice"]})
    assert still_world.get("/whoami", token=still_world.user)["groups"] == ["team"]


def test_strangers_are_answered_as_if_it_were_not_there(pool: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every route, with the names of what is there and of what is not: nobody without rights can tell them apart."""
    stranger = _of(pool, "none")
    pool.ask("PUT", "/quotas/secret", {"nodes": 1})
    operation = pool.get("/allocations/web")["operation"]
    token = pool.get("/tokens?user=alice")["items"][-1]["id"]
    there = {"nodes": "m1", "allocations": "web", "pools": "secret", "operations": operation, "users": "alice", "groups": "team",
             "tokens": str(token), "quotas": "secret", "grants": "1"}  # fmt: skip
    hidden = ("secret", '"m1"', '"m2"', '"web"', "alice", operation, "factory", "52:54:00")
    monkeypatch.setattr(Session, "commit", Session.flush)
    for rule in pool.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.endpoint.startswith("login."):
            continue
        path = rule.rule.removeprefix("/api/v1")
        kind = path.split("/")[1]
        missing = "4711" if "<int:" in path else "nowhere"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            said = []
            for name in (there.get(kind, missing), missing):
                asked = re.sub(r"<int:[^>]+>", "4711", re.sub(r"<[^>]+>", name, path, count=1))
                asked = re.sub(r"<[^>]+>", "nowhere" if name == missing else "alice", asked)
                body = BODIES.get(f"{method} {asked.replace(name, there.get(kind, name))}", {}) if method != "GET" else None
                answer = pool.call(method, asked, body, token=stranger)
                own = answer.text.replace(answer.headers["X-Request-ID"], "")
                said.append((answer.status_code, own.replace(name, "NAME").replace("'alice'", "'nowhere'")))
            first, second = said
            assert first[0] == second[0], f"{method} {path}: {first} {second}"
            if rule.arguments:
                assert first[1].replace("nowhere", "NAME") == second[1].replace("nowhere", "NAME"), f"{method} {path}"
            if kind not in ("tags", "images", "racks", "ssh-keys"):
                for word in hidden:
                    assert word not in second[1], f"{method} {path} tells {word}"


def test_every_route_declares_its_authentication(still_world: World) -> None:
    declared = {name: authentication_of(one) for name, one in still_world.app.blueprints.items()}
    for rule in still_world.app.url_map.iter_rules():
        blueprint = rule.endpoint.rpartition(".")[0]
        assert declared.get(blueprint) or rule.endpoint in ("static", "openapi.spec"), rule.endpoint


def test_anonymous_is_let_in_on_the_public_list_alone(still_world: World) -> None:
    public = {"login.list_methods", "login.log_in", "health.healthz", "health.readyz", "openapi.spec", "static",
              "pages.login", "pages.sign_in", "pages.static"}  # fmt: skip
    client = still_world.app.test_client()
    for rule in still_world.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", re.sub(r"<int:[^>]+>", "1", rule.rule))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if rule.endpoint in public or rule.endpoint.startswith("boot."):
                continue
            answer = client.open(path, method=method)
            turned_away = (302,) if rule.endpoint.startswith("pages.") else (401,)
            assert answer.status_code in turned_away, f"{method} {path}: {answer.status_code}"
