"""POST JSON over HTTP/1.0 (RFC 1945): without chunks and kept-open connections it fits in a page.

urllib imports TLS and the whole of e-mail, which costs more than a second on a slow machine, and the module socket, around the
one in C that is used here, a fifth of a second.
"""

from __future__ import annotations

import _socket as socket

from metalpool_agent import json_text

LARGEST_ANSWER = 1 << 20


class HttpError(OSError):
    """What came back is not an HTTP answer."""


def split_url(url: str) -> tuple[str, int, str]:
    """Host, port and path of a plain ``http://`` URL. An IPv6 address stands in brackets."""
    authority, slash, path = url.removeprefix("http://").partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, "80"
    return host.strip("[]"), int(port), slash + path or "/"


def parse_answer(raw: bytes) -> tuple[int, dict]:
    """Status and JSON object of a whole answer; an empty or foreign body is an empty object."""
    head, unused, body = raw.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise HttpError(f"not an HTTP answer: {raw[:60]!r}")
    try:
        answer = json_text.decode(body.decode("utf-8", "replace")) if body.strip() else {}
    except ValueError:
        answer = {}
    return int(words[1]), answer if isinstance(answer, dict) else {}


def post(url: str, document: dict, timeout: float) -> tuple[int, dict]:
    """Send a JSON object, give back status and JSON object.

    timeout: seconds without a byte from the other side. Raises OSError when there is no connection, no answer
    or no HTTP.
    """
    host, port, path = split_url(url)
    body = json_text.encode(document).encode()
    head = (
        f"POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"User-Agent: metalpool-agent\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    family, kind, address = found[0], found[1], found[4]
    connection = socket.socket(family, kind)
    try:
        connection.settimeout(timeout)
        connection.connect(address)
        connection.sendall(head.encode() + body)
        raw = b""
        while len(raw) < LARGEST_ANSWER and (part := connection.recv(65536)):
            raw += part
    finally:
        connection.close()
    return parse_answer(raw)
