"""The client of the API against a real server."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, poll, segment
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError, Unreachable
from ansible_collections.metalpool.core.plugins.module_utils._settings import Settings
from scripted_service import Call, Reply, Service


def api(service: Service, **more: object) -> Api:
    return Api(Settings(**{"url": service.url, "token": "mp_secret", "retry_timeout": 5, **more}))


def test_sends_the_token_and_reads_json(service: Service) -> None:
    service.script(Reply(200, {"name": "m1"}))
    assert api(service).get("/nodes/m1").json == {"name": "m1"}
    assert service.calls[0].headers["Authorization"] == "Bearer mp_secret"
    assert service.calls[0].path == "/api/v1/nodes/m1"


def test_a_problem_becomes_a_message_of_several_lines(service: Service) -> None:
    problem = {
        "type": "nothing-fits",
        "title": "No node fits",
        "detail": "no node fits",
        "field": "mem",
        "value": "64G",
        "allowed": ["1G", "2G"],
        "excluded": [{"constraint": "mem", "value": "64G", "nodes": 3}],
        "considered": 3,
        "request_id": "r-7",
    }
    service.script(Reply(409, problem))
    with pytest.raises(ApiError) as caught:
        api(service).post("/allocations", {})
    assert str(caught.value).splitlines() == [
        "No node fits: no node fits",
        "  field: mem",
        "  value: 64G",
        "  allowed: 1G, 2G",
        "  excluded:",
        "    mem=64G excluded 3 of 3 nodes",
        f"  POST {service.url}/api/v1/allocations answered 409, request_id r-7",
    ]
    assert caught.value.kind == "nothing-fits"
    assert len(service.calls) == 1


def test_a_page_that_is_no_problem_document_is_still_a_clear_error(service: Service) -> None:
    service.script(Reply(404, b"<html>nginx</html>"))
    with pytest.raises(ApiError, match="may not be the Metalpool service"):
        api(service).get("/nodes")


def test_an_answer_that_is_not_json_says_so(service: Service) -> None:
    service.script(Reply(200, b"<html>welcome</html>"))
    with pytest.raises(Unreachable, match="is this the Metalpool service"):
        api(service).get("/nodes")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_repeats_while_the_service_is_away(service: Service, status: int) -> None:
    service.script(Reply(status, b""), Reply(status, b""), Reply(200, {"ok": True}))
    told: list[str] = []
    one = Api(Settings(service.url, "mp_secret", retry_timeout=5), on_retry=told.append)
    assert one.post("/operations/1/steps", {"epoch": 1}).json == {"ok": True}
    assert len(service.calls) == 3
    assert len(told) == 1


def test_repeats_when_the_connection_breaks(service: Service) -> None:
    service.script(Reply(hang_up=True), Reply(200, {"ok": True}))
    assert api(service).get("/nodes").json == {"ok": True}


@pytest.mark.parametrize("reply", [Reply(502, b""), Reply(504, b""), Reply(hang_up=True)])
def test_what_may_have_been_done_is_repeated_with_the_same_key(service: Service, reply: Reply) -> None:
    service.script(reply, Reply(201, {"name": "web"}), Reply(201, {"name": "db"}))
    one = api(service)
    assert [one.post("/allocations", {}).json["name"] for unused in range(2)] == ["web", "db"]
    keys = [{name.lower(): text for name, text in call.headers.items()}["idempotency-key"] for call in service.calls]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
def test_does_not_repeat_a_refusal(service: Service, status: int) -> None:
    service.script(Reply(status, {"title": "no"}))
    with pytest.raises(ApiError):
        api(service).get("/nodes")
    assert len(service.calls) == 1


def test_waits_for_a_service_that_comes_up() -> None:
    """A restart: the port is closed for a while."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = threading.Event()
    settings = Settings(f"http://127.0.0.1:{port}", "mp_secret", retry_timeout=20)
    waiting = Api(settings, on_retry=lambda _text: told.set())
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(waiting.post("/x", {}).json))
    caller.start()
    assert told.wait(timeout=10)
    later = Service(port)
    later.script(Reply(200, {"ok": True}))
    later.thread.start()
    caller.join(timeout=20)
    later.server.shutdown()
    later.server.server_close()
    assert answers == [{"ok": True}]


def test_gives_up_after_retry_timeout() -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match="Is the service running"):
        Api(Settings("http://127.0.0.1:1", "mp_secret", retry_timeout=1)).get("/nodes")
    assert time.monotonic() - started < 3


def test_a_name_that_does_not_exist_is_not_tried_for_long() -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable):
        Api(Settings("https://no-such-host.invalid", "mp_secret", retry_timeout=3)).get("/nodes")
    assert time.monotonic() - started < 10


def test_the_token_does_not_follow_a_redirect(service: Service) -> None:
    other = Service()
    other.script(Reply(200, {}))
    other.thread.start()
    service.script(Reply(302, b"", {"Location": f"{other.url}/steal"}))
    with pytest.raises(ApiError):
        api(service).get("/nodes")
    assert other.calls == []
    other.server.shutdown()
    other.server.server_close()


def test_reads_every_page(service: Service) -> None:
    def answer(call: Call) -> Reply:
        if "after=b" in call.path:
            return Reply(200, {"items": [{"name": "c"}], "next": None})
        return Reply(200, {"items": [{"name": "a"}, {"name": "b"}], "next": "b"})

    service.answer = answer
    assert [item["name"] for item in api(service).items("/nodes", state="ready")] == ["a", "b", "c"]
    assert all("state=ready" in call.path for call in service.calls)


def test_find_and_delete_take_a_missing_thing_for_an_answer(service: Service) -> None:
    assert api(service).find("/nodes/none") is None
    assert api(service).delete("/nodes/none").status == 404


def test_a_name_cannot_break_out_of_the_path() -> None:
    assert segment("../whoami?x=1#/") == "..%2Fwhoami%3Fx%3D1%23%2F"


def test_poll_asks_at_least_once_and_not_all_the_time() -> None:
    started = time.monotonic()
    assert len(list(poll(0))) == 1
    waits = list(poll(1.1))
    assert 2 <= len(waits) <= 4
    assert all(wait >= 1 for wait in waits)
    assert time.monotonic() - started < 3


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost and its key, in one file."""
    path = tmp_path / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), "-keyout", str(path), "-out", str(tmp_path / "ca.crt")], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + (tmp_path / "ca.crt").read_bytes())
    return tmp_path / "ca.crt"


def test_checks_the_certificate(certificate: Path) -> None:
    secure = Service()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.parent / "server.pem")
    secure.server.socket = context.wrap_socket(secure.server.socket, server_side=True)
    secure.tls = True
    secure.script(Reply(200, {"ok": True}))
    secure.thread.start()
    try:
        assert api(secure, ca_file=str(certificate)).get("/nodes").json == {"ok": True}
        assert api(secure, validate_certs=False).get("/nodes").json == {"ok": True}
        secure.calls.clear()
        with pytest.raises(Unreachable, match="certificate was not accepted"):
            api(secure).get("/nodes")
        assert secure.calls == []
    finally:
        secure.server.shutdown()
        secure.server.server_close()
