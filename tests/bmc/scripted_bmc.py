# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BMC for what ipmi_sim does not have: boot flags kept whole, and faults on demand. Only cipher suite 3.

Run as a program with one argument, JSON: address, port, password, and
- manufacturer: number in Get Device ID;
- busy: how many times to answer "node busy" before each Chassis Status;
- no_boot_timeout: refuse boot option parameter 3;
- flags: whether boot flags are kept (true) or "ignored" (accepted and forgotten);
- unprivileged: refuse Chassis Control for lack of privilege; interlock: refuse it in the present state;
- slots: number of sessions at a time (ipmi_sim does not count them);
- users: list of [name, password] for ids 2 and on;
- rules: any of "no_sol", "short_passwords" (drops what is over 16 bytes), "strict" (refuses less than 10 bytes),
  "stubborn" (cannot disable accounts);
- lan_off: IPMI over LAN is off in its settings;
- silent_after: number of commands after which nothing is answered any more;
- sel: "none" (command unknown), "full" (refuses until cleared), "lossy" (says yes and drops what does not fit).
"""

from __future__ import annotations

import json
import struct
import sys

from pyghmi.ipmi import bmc as pyghmi_bmc
from pyghmi.ipmi.private import serversession

NO_SLOT = 0x01  # RMCP+ status code "insufficient resources to create a session" (IPMI 2.0, table 13-15)


class CountedSession(serversession.ServerSession):
    """A session that takes one of the BMC's slots from its start to Close Session."""

    def create_open_session_response(self, request):
        if len(self.bmc.open_sessions) >= self.bmc.script.get("slots", 100):
            return bytearray([request[0], NO_SLOT, 0, 0]) + request[4:8]
        self.bmc.open_sessions.add(self)
        return super().create_open_session_response(request)

    def __init__(self, authdata, kg, clientaddr, netsocket, request, uuid, bmc):
        self.bmc = bmc
        super().__init__(authdata, kg, clientaddr, netsocket, request, uuid, bmc)

    def close_server_session(self):
        self.bmc.open_sessions.discard(self)


serversession.ServerSession = CountedSession


class ScriptedBmc(pyghmi_bmc.Bmc):
    def __init__(self, script: dict) -> None:
        super().__init__({"admin": script["password"]}, port=script["port"], address=script["address"])
        self.script = script
        self.flags = bytes(5)
        self.open_sessions: set = set()
        self.accounts: dict = {}
        self.lan_mode = 0x28 if script.get("lan_off") else 0x2A
        self.power = 0
        self.busy = 0
        self.count = 0
        self.log = [bytes([number, 0, 2]) + bytes(13) for number in range(1, 4)] if script.get("sel") else []
        self.room = 0 if script.get("sel") in ("full", "lossy") else 100

    def handle_raw_request(self, request, session) -> None:
        self.count += 1
        if self.count > self.script.get("silent_after", 1_000_000):
            return
        answer = self.answer(request["netfn"], request["command"], bytes(request["data"]))
        code, data = answer if isinstance(answer, tuple) else (0, answer)
        session.send_ipmi_response(code=code, data=list(data))

    def answer(self, netfn: int, command: int, data: bytes):
        handler = getattr(self, f"on_{netfn:02x}_{command:02x}", None)
        return handler(data) if handler else (0xC1, b"")

    def on_06_01(self, data: bytes):
        manufacturer = struct.pack("<I", self.script.get("manufacturer", 0))[:3]
        return bytes([0x20, 1, 2, 0x10, 0x02, 0xBF]) + manufacturer + bytes([1, 0])

    def user(self, number: int) -> dict:
        names = self.script.get("users", [])
        for index in range(1, 11):
            name, password = names[index - 2] if 2 <= index < len(names) + 2 else ("", "")
            known = {
                "name": name,
                "password": password,
                "enabled": bool(name),
                "access": 0x14 if name else 0x0F,
                "sol": 0,
            }
            self.accounts.setdefault(index, known)
        return self.accounts[number]

    def rule(self, name: str) -> bool:
        return name in self.script.get("rules", [])

    def on_06_42(self, data: bytes):
        return bytes([data[0], 4, 1, 0]) + bytes(5) if data[0] in (1, 8) else (0xCC, b"")

    def on_0c_02(self, data: bytes):
        address = bytes([10, 0, 0, 8]) if data[0] == 8 else bytes(4)
        values = {3: address, 4: b"\x02", 5: bytes([2, 0, 0, 0, 0, data[0]]), 6: bytes([255, 255, 255, 0])}
        return b"\x11" + values[data[1]] if data[1] in values else (0x80, b"")

    def on_06_44(self, data: bytes):
        account = self.user(data[1])
        return bytes([10, (0x40 if account["enabled"] else 0x80) | 2, 1, account["access"]])

    def on_06_46(self, data: bytes):
        return self.user(data[0])["name"].encode().ljust(16, b"\0")

    def on_06_45(self, data: bytes):
        self.user(data[0])["name"] = data[1:17].rstrip(b"\0").decode()
        return b""

    def on_06_43(self, data: bytes):
        self.user(data[1])["access"] = (data[0] & 0x70) | data[2]
        return b""

    def on_06_47(self, data: bytes):
        account, operation = self.user(data[0] & 0x3F), data[1]
        if operation in (0, 1):
            if self.rule("stubborn") and operation == 0:
                return 0xCC, b""
            account["enabled"] = operation == 1
            return b""
        given = data[2:].rstrip(b"\0").decode()
        given = given[:16] if self.rule("short_passwords") else given
        if operation == 3:
            return b"" if account["password"] == given else (0x80, b"")
        if self.rule("strict") and len(given) < 10:
            return 0xCC, b""
        account["password"] = given
        return b""

    def on_06_4d(self, data: bytes):
        return (0xC1, b"") if self.rule("no_sol") else bytes([self.user(data[1])["sol"], 0, 0, 0])

    def on_06_4c(self, data: bytes):
        self.user(data[1])["sol"] = data[2]
        return (0xC1, b"") if self.rule("no_sol") else b""

    def on_06_41(self, data: bytes):
        return bytes([self.lan_mode, 4])

    def on_06_40(self, data: bytes):
        self.lan_mode = data[1] & 0x3F
        return b""

    def on_00_01(self, data: bytes):
        if self.busy < self.script.get("busy", 0):
            self.busy += 1
            return 0xC0, b""
        self.busy = 0
        return bytes([self.power, 0, 0])

    def on_00_02(self, data: bytes):
        if self.script.get("interlock"):
            return 0xD5, b""
        if self.script.get("unprivileged"):
            return 0xD4, b""
        self.power = {0: 0, 1: 1, 5: 0}.get(data[0], self.power)
        return b""

    def on_00_08(self, data: bytes):
        if data[0] == 3:
            return (0x80, b"") if self.script.get("no_boot_timeout") else b""
        if self.script.get("flags", True) is True:
            self.flags = data[1:6]
        return b""

    def on_00_09(self, data: bytes):
        if self.script.get("flags", True) == "unreadable":
            return 0x80, b""
        return bytes([1, 5]) + self.flags

    def on_0a_40(self, data: bytes):
        return struct.pack("<BHH", 0x51, len(self.log), self.room * 16) + bytes(8) + bytes([2])

    def on_0a_42(self, data: bytes):
        return b"\x07\x00"

    def on_0a_43(self, data: bytes):
        wanted = int.from_bytes(data[2:4], "little")
        index = {0: 0, 0xFFFF: len(self.log) - 1}.get(wanted, wanted - 1)
        if not 0 <= index < len(self.log):
            return 0xCB, b""
        following = index + 2 if index + 1 < len(self.log) else 0xFFFF
        return following.to_bytes(2, "little") + self.log[index]

    def on_0a_44(self, data: bytes):
        if self.script.get("sel", "none") == "none":
            return 0xC1, b""
        if self.room == 0:
            return (0xC4, b"") if self.script["sel"] == "full" else b"\x01\x00"
        self.room -= 1
        self.log.append((len(self.log) + 1).to_bytes(2, "little") + data[2:])
        return len(self.log).to_bytes(2, "little")

    def on_0a_47(self, data: bytes):
        if data[5] == 0xAA:
            self.log, self.room = [], 100
            return b"\x00"
        return b"\x01"


if __name__ == "__main__":
    ScriptedBmc(json.loads(sys.argv[1]))
    pyghmi_bmc.Bmc.listen(0.05)
