"""The agent's HTTP client against a real server."""

import http.server
import json
import threading

import pytest
from metalpool_agent import http_client


class Answer(http.server.BaseHTTPRequestHandler):
    """Says back what it was asked; /refuse and /empty as their names say."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 200, body
        if self.path == "/refuse":
            status, answer = 403, b'{"detail": "no"}'
        elif self.path == "/empty":
            status, answer = 204, b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Silent."""


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_answers(url):
    assert http_client.post(f"{url}/echo", {"a": 1}, 5) == (200, {"a": 1})
    assert http_client.post(f"{url}/refuse", {}, 5) == (403, {"detail": "no"})
    assert http_client.post(f"{url}/empty", {}, 5) == (204, {})


def test_nobody_there():
    with pytest.raises(OSError):
        http_client.post("http://127.0.0.1:1/x", {}, 1)


def test_not_http_is_an_error():
    with pytest.raises(http_client.HttpError):
        http_client.parse_answer(b"SSH-2.0-x\r\n")


def test_an_answer_that_is_no_json_object_is_empty():
    for body in (b"<html>", b"[1]", b""):
        assert http_client.parse_answer(b"HTTP/1.0 502 x\r\n\r\n" + body) == (502, {})


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://r/boot", ("r", 80, "/boot")),
        ("http://10.0.0.1:8080", ("10.0.0.1", 8080, "/")),
        ("http://[fe80::1]:81/a/b", ("fe80::1", 81, "/a/b")),
        ("http://[fe80::1]/a", ("fe80::1", 80, "/a")),
    ],
)
def test_split_url(url, parts):
    assert http_client.split_url(url) == parts


def test_documents_survive(url):
    document = {"key": "ssh-ed25519 AAAA", "nonce": None, "macs": ["52:54:00:00:00:01"], "name": "\u00e4"}
    assert json.loads(json.dumps(http_client.post(f"{url}/echo", document, 5)[1])) == document
