"""Asks a DHCP server what it would answer a machine of some kind. Runs as a program inside the lab's namespace.

Usage: python dhcp_client.py INTERFACE ARCHITECTURE VENDOR_CLASS [USER_CLASS]

It sends one DHCPDISCOVER (RFC 2131) with options 93 (client architecture, RFC 4578), 60 and 77, and prints the offer as
JSON: `file`, `next_server`, `vendor_class`, `address`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys

MAGIC = b"\x63\x82\x53\x63"


def options_of(data: bytes) -> dict[int, bytes]:
    """Returns the options of a DHCP message by number."""
    found: dict[int, bytes] = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        found[data[0]] = data[2:2 + data[1]]
        data = data[2 + data[1]:]
    return found


def discover(architecture: int, vendor_class: str, user_class: str, transaction: bytes) -> bytes:
    """Returns a DHCPDISCOVER that asks for the answer by broadcast."""
    head = struct.pack("!BBBB4sHH4s4s4s4s6s10s64s128s", 1, 1, 6, 0, transaction, 0, 0x8000, b"", b"", b"", b"",
                       b"\x52\x54\x00\x00\x00" + transaction[:1], b"", b"", b"")
    options = [(53, b"\x01"), (55, bytes([1, 3, 43, 60, 66, 67])), (60, vendor_class.encode()),
               (93, struct.pack("!H", architecture)), (94, b"\x01\x03\x00"), (97, b"\x00" + bytes(16))]
    if user_class:
        options.append((77, user_class.encode()))
    return head + MAGIC + b"".join(bytes([number, len(value)]) + value for number, value in options) + b"\xff"


def main(interface: str, architecture: str, vendor_class: str, user_class: str = "") -> None:
    """Sends the question and prints the answer."""
    transaction = os.urandom(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        line.bind(("", 68))
        line.settimeout(10)
        line.sendto(discover(int(architecture), vendor_class, user_class, transaction), ("255.255.255.255", 67))
        while True:
            answer = line.recv(2048)
            options = options_of(answer[240:])
            if answer[4:8] == transaction:
                break
    name = options.get(67) or answer[108:236]
    print(json.dumps({"file": name.rstrip(b"\0").decode(), "next_server": socket.inet_ntoa(answer[20:24]),
                      "vendor_class": options.get(60, b"").decode(), "address": socket.inet_ntoa(answer[16:20])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
