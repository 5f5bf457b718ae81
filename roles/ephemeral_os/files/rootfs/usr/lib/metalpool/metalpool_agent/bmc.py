"""The machine's own BMC, in-band: the nonce that the worker left there, and its address on the LAN.

IPMI 2.0: Get SEL Entry (31.5), Get Channel Info (22.24), Get LAN Configuration Parameters (23.2).
"""

from __future__ import annotations

import os
import time

from metalpool_agent import programs
from metalpool_agent.files import read

DEVICE = "/dev/ipmi0"
PROBED = "/run/metalpool/ipmi-probed"
EVENT_LOG = "/run/metalpool/sel"
LAST_RECORD = "/run/metalpool/sel-last"
NONCE_RECORD_TYPE = 0xE0  # OEM, without time stamp (32.3)
NONCE_MARK = ord("M")
RECORD_BYTES = 16
LAN_802_3 = 4
CHANNELS = range(1, 12)


def present(limit: float = 30) -> bool:
    """Whether there is a BMC; waits, `limit` seconds at most, until its driver has made up its mind."""
    deadline = time.monotonic() + limit
    while not os.path.exists(DEVICE) and not os.path.exists(PROBED) and time.monotonic() < deadline:
        time.sleep(0.1)
    return os.path.exists(DEVICE)


def ipmitool(*words: str) -> str | None:
    """What `ipmitool` prints over the system interface; None when the BMC refuses or does not answer within a minute."""
    return programs.output("busybox", "timeout", "60", "ipmitool", "-I", "open", *words)


def raw(*octets: int) -> bytes | None:
    """Send NetFn, command and data; the answer's data without the completion code, None for an error."""
    answer = ipmitool("raw", *(f"{octet:#04x}" for octet in octets))
    return None if answer is None else bytes.fromhex(answer)


def nonce_of(record: bytes) -> str | None:
    """The nonce in a SEL record (16 bytes, 32.1), in hexadecimal; None for every other record."""
    if len(record) == RECORD_BYTES and record[2] == NONCE_RECORD_TYPE and record[3] == NONCE_MARK:
        return record[4:].hex()
    return None


def last_nonce(log: bytes) -> str | None:
    """The nonce of the last record that has one, in a whole SEL."""
    for end in range(len(log) - len(log) % RECORD_BYTES, 0, -RECORD_BYTES):
        nonce = nonce_of(log[end - RECORD_BYTES:end])
        if nonce:
            return nonce
    return None


def read_nonce() -> str | None:
    """The last nonce in the event log: usually its last record (one command), else the whole log is read."""
    answer = raw(0x0A, 0x43, 0x00, 0x00, 0xFF, 0xFF, 0x00, 0xFF)
    nonce = nonce_of(answer[2:]) if answer else None
    if nonce:
        return nonce
    # An empty log makes no file.
    if ipmitool("sel", "writeraw", EVENT_LOG) is None or not os.path.exists(EVENT_LOG):
        return None
    with open(EVENT_LOG, "rb") as file:
        return last_nonce(file.read())


def nonces():
    """For each attempt the nonce: first what the event log's last record held while this program started, then read anew."""
    try:
        ahead = nonce_of(bytes.fromhex(read(LAST_RECORD))[2:])
    except ValueError:
        ahead = None
    if ahead:
        yield ahead
    while True:
        yield read_nonce()


def lan() -> dict[str, str] | None:
    """Address and MAC address of the first LAN channel that has an address."""
    for channel in CHANNELS:
        info = raw(0x06, 0x42, channel)
        if not info or len(info) < 2 or info[1] & 0x7F != LAN_802_3:
            continue
        address = raw(0x0C, 0x02, channel, 3, 0, 0)
        mac = raw(0x0C, 0x02, channel, 5, 0, 0)
        if address and mac and any(address[1:]):
            return {"address": ".".join(map(str, address[1:5])), "mac": mac[1:7].hex(":")}
    return None
