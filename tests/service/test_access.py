"""What a user, a worker and an administrator may see and do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from inventory_service import clock
from inventory_service.models import Token
from inventory_service.secret_tokens import digest
from tests.service.world import KEY, Work, World


def test_tokens_are_kept_as_digests(still_world: World) -> None:
    stored = still_world.stored()
    assert still_world.admin.encode() not in stored
    assert digest(still_world.admin).encode() in stored


@pytest.mark.parametrize("change", [{"revoked_at": clock.now()}, {"expires_at": clock.now() - timedelta(days=1)}])
def test_revoked_and_expired_tokens_open_nothing(still_world: World, change) -> None:
    with still_world.services.database.write() as session:
        session.execute(update(Token).where(Token.sha256 == digest(still_world.user)).values(**change))
    assert still_world.get("/whoami", token=still_world.user, expect=401)["type"] == "unauthenticated"
    assert still_world.get("/whoami", token=still_world.other)["user"] == "bob"


def test_users_see_their_own_only(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    work = Work(world, "m1")
    work.deploy()
    for path in ("/allocations/web", f"/operations/{work.id}", f"/operations/{work.id}/log"):
        world.get(path, token=world.other, expect=404)
        world.get(path, token=world.user)
    world.ask("DELETE", "/allocations/web", token=world.other, expect=404)
    world.post("/allocations/web/deploy", token=world.other, expect=404)
    world.post(f"/operations/{work.id}/cancel", token=world.other, expect=404)
    world.post("/nodes/m1/operations", {"kind": "release"}, token=world.other, expect=403)
    for path in ("/allocations", "/operations", "/events", "/nodes/m1/events"):
        assert world.get(path, token=world.other)["items"] == [], path
        assert world.get(path, token=world.user)["items"], path
    assert world.get("/inventory", token=world.other) == {"hosts": []}
    assert world.get("/nodes/m1", token=world.user)["bmc"] is None
    assert world.get("/nodes/m1")["bmc"]["username"] == "admin"


def test_users_may_not_administrate(world: World) -> None:
    world.add_node("m1")
    for method, path, body in (
        ("POST", "/nodes", {"name": "x", "interfaces": [{"mac": "52:54:00:00:00:99"}]}),
        ("PATCH", "/nodes/m1", {"locked": True}),
        ("DELETE", "/nodes/m1", None),
        ("POST", "/nodes/m1/state", {"verb": "retire", "comment": "x"}),
        ("POST", "/nodes/m1/operations", {"kind": "commission"}),
        ("PUT", "/pools/default", {"auto_accept": True}),
        ("DELETE", "/images/x", None),
        ("POST", "/racks/local/claims", {}),
    ):
        for token in (world.user,) if "operations" in path else (world.user, world.worker):
            if "claims" in path and token == world.worker:
                continue
            assert world.ask(method, path, body, token=token, expect=403)["type"] == "forbidden"


def test_worker_speaks_for_its_own_rack_only(world: World) -> None:
    elsewhere = world.token("far-worker", "worker", rack="far")
    world.add_node("m1")
    operation = world.post("/nodes/m1/operations", {"kind": "commission"})
    world.post("/racks/local/claims", {}, token=elsewhere, expect=403)
    assert world.get("/nodes", token=elsewhere)["items"] == []
    world.get(f"/operations/{operation['id']}", token=elsewhere, expect=404)
    assert world.call("POST", "/racks/far/claims", {}, token=elsewhere).status_code == 204
    work = Work(world, "m1")
    work.token = elsewhere
    for what in ("heartbeat", "arm", "phone-home-token"):
        work.report(what, expect=403)
    world.get(f"/operations/{work.id}/checkin?epoch={work.epoch}", token=elsewhere, expect=403)
    world.post("/racks/nowhere/claims", {}, expect=404)
    world.get("/events", token=world.worker, expect=403)
    world.acquire(token=world.worker, expect=403)


def test_users_keys_are_used_when_a_request_names_none(world: World) -> None:
    world.image()
    world.ready_node("m1")
    stored = world.post("/ssh-keys", {"key": KEY}, token=world.user, expect=201)
    assert stored["name"] == "of-a-test"
    world.post("/ssh-keys", {"key": KEY}, token=world.user, expect=200)
    assert world.get("/ssh-keys", token=world.other)["items"] == []
    world.acquire("web", credentials={})
    assert Work(world, "m1").claim["credentials"]["ssh_keys"] == [KEY]
    world.ask("DELETE", "/ssh-keys/of-a-test", token=world.user, expect=204)
    world.ask("DELETE", "/ssh-keys/of-a-test", token=world.user, expect=404)


@pytest.mark.parametrize(
    ("credentials", "field"),
    [
        ({"ssh_keys": ["not a key"]}, "credentials.ssh_keys.0"),
        ({"ssh_keys": [KEY + "\nssh-ed25519 AAAA"]}, "credentials.ssh_keys.0"),
        ({"password_hash": "plain"}, "credentials.password_hash"),
        ({"user": "Root!"}, "credentials.user"),
        ({"extra_users": [{"name": "x y"}]}, "credentials.extra_users.0.name"),
        ({"passwd": "x"}, "credentials.passwd"),
    ],
)
def test_nonsense_credentials_are_refused_and_not_repeated(still_world: World, credentials, field: str) -> None:
    refused = still_world.acquire(credentials=credentials, expect=422)
    assert refused["field"] == field
    assert "value" not in refused


def test_problems_are_documents(still_world: World) -> None:
    for method, path, body, status in (
        ("GET", "/nodes/nobody", None, 404),
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/nodes", None, 405),
        ("POST", "/nodes", {"name": "x"}, 422),
        ("GET", "/nodes?limit=0", None, 422),
        ("GET", "/events?after=x", None, 422),
    ):
        answer = still_world.call(method, path, body)
        assert answer.status_code == status
        assert answer.content_type == "application/problem+json"
        document = answer.get_json()
        assert {"type", "title", "status", "detail", "request_id"} <= set(document)
        assert answer.headers["X-Request-ID"] == document["request_id"]


def test_what_flask_refuses_is_a_document_that_says_why(still_world: World) -> None:
    json = {"Content-Type": "application/json"}
    for method, path, sent, status, kind, field in (
        ("POST", "/nodes", {"data": "{", "headers": json}, 400, "malformed", "(body)"),
        ("POST", "/nodes", {"data": "x", "headers": {"Content-Type": "text/plain"}}, 415, "not-json", "Content-Type"),
        ("POST", "/nodes", {"data": ""}, 400, "malformed", "(body)"),
        ("POST", "/nodes", {"data": "[1]", "headers": json}, 422, "invalid", "(body)"),
        ("DELETE", "/nodes", {}, 405, "method-not-allowed", "method"),
        ("GET", "/nowhere", {}, 404, "not-found", "path"),
        ("GET", "/grants/99999999999999999999999", {}, 404, "not-found", "grant"),
        ("POST", "/nodes", {"data": "x" * (17 << 20), "headers": json}, 413, "too-large", None),
    ):
        answer = still_world.call(method, path, **sent)
        document = answer.get_json()
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
        assert (document["type"], document.get("field"), document["status"]) == (kind, field, status), document
        assert document["request_id"] == answer.headers["X-Request-ID"]
    assert still_world.call("DELETE", "/nodes").get_json()["allowed"] == ["GET", "HEAD", "OPTIONS", "POST"]


def test_the_apis_document_says_what_goes_wrong(still_world: World) -> None:
    for path, methods in still_world.app.spec["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert "default" in answers, (method, path)
            for status, answer in answers.items():
                if status >= "4":
                    (kind,) = answer["content"]
                    assert kind == "application/problem+json", (method, path, status)
            closed = path.startswith("/api/") and path != "/api/v1/login"
            assert operation.get("security") == ([{"token": []}, {"session": []}] if closed else None), (method, path)


def test_inside_of_an_error_stays_inside(still_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inventory_service.api.nodes.find_visible_node", lambda *_: 1 / 0)
    answer = still_world.call("GET", "/nodes/m1")
    assert answer.status_code == 500
    assert "division" not in answer.text


def test_inventory_answers_304_when_nothing_changed(world: World) -> None:
    world.image()
    world.ready_node("m1")
    first = world.call("GET", "/inventory", token=world.user)
    tag = first.headers["ETag"]
    assert world.call("GET", "/inventory", token=world.user, headers={"If-None-Match": tag}).status_code == 304
    world.acquire("web")
    Work(world, "m1").deploy()
    assert world.call("GET", "/inventory", token=world.user, headers={"If-None-Match": tag}).status_code == 200


def test_lists_come_in_parts(still_world: World) -> None:
    for number in range(5):
        still_world.add_node(f"m{number}")
    names: list[str] = []
    path = "/nodes?limit=2"
    after = ""
    while True:
        part = still_world.get(path + after)
        names += [node["name"] for node in part["items"]]
        if part["next"] is None:
            break
        after = f"&after={part['next']}"
    assert names == [f"m{number}" for number in range(5)]
