# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system event log (SEL) of a BMC: read, add, clear (IPMI 2.0, section 31)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import (
    UNSUPPORTED_CODES,
    BmcCommandError,
    BmcError,
    BmcUnconfirmed,
    BmcUnsupported,
)

RECORD_BYTES = 16
FIRST_RECORD, LAST_RECORD = 0x0000, 0xFFFF
NOT_PRESENT, OUT_OF_SPACE, ERASE_IN_PROGRESS = 0xCB, 0xC4, 0x81
FULL_CODES = frozenset({OUT_OF_SPACE, 0x80, 0xCB, 0xCE, 0xFF})
"""Codes with which BMCs refuse to add a record to a full log; 0xC4 is the one that the specification has for it."""
OEM_NONCE_TYPE = 0xE0
NONCE_MARK = 0x4D
NONCE_BYTES = 12
SYSTEM_EVENT = 0x02
EARLIEST_DATE = 0x20000000  # smaller timestamps count seconds since the BMC started (section 37.1)


class LogFull(BmcError):
    """The log has no room for another record."""

    kind = "log_full"


def read_log_info(bmc) -> dict:
    """Number of records, free bytes, and whether records were lost (Get SEL Info, section 31.2)."""
    data = bmc.raw(0x0A, 0x40, what="describe its event log")
    free = int.from_bytes(data[3:5], "little")
    return {
        "entries": int.from_bytes(data[1:3], "little"),
        "free_bytes": None if free == 0xFFFF else free,  # 0xFFFF: 65535 or more, or not told
        "overflow": bool(data[13] & 0x80),
    }


def read_record(bmc, record_id: int) -> tuple:
    """One record and the id of the next one, or ``(None, 0xFFFF)`` when there is none (Get SEL Entry, section 31.5)."""
    request = bytes([0, 0]) + record_id.to_bytes(2, "little") + bytes([0, 0xFF])
    try:
        data = bmc.raw(0x0A, 0x43, request, what="read its event log")
    except BmcCommandError as error:
        if error.code == NOT_PRESENT:
            return None, LAST_RECORD
        raise
    return bytes(data[2 : 2 + RECORD_BYTES]), int.from_bytes(data[0:2], "little")


def read_log(bmc, limit: int = 65535) -> Iterator[bytes]:
    """All records, oldest first, at most so many."""
    record_id = FIRST_RECORD
    for _count in range(limit):
        record, following = read_record(bmc, record_id)
        if record is not None:
            yield record
        if record is None or following in (LAST_RECORD, record_id):
            return
        record_id = following


def describe_record(record: bytes) -> dict:
    """A record's fields; ``raw`` has all of it, in hexadecimal."""
    kind = record[2]
    described = {"id": int.from_bytes(record[0:2], "little"), "type": kind, "raw": record.hex(), "time": None}
    if kind < 0xE0:
        seconds = int.from_bytes(record[3:7], "little")
        if EARLIEST_DATE <= seconds < 0xFFFFFFFF:
            described["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    if kind == SYSTEM_EVENT:
        described.update(
            sensor_type=record[10],
            sensor_number=record[11],
            event_type=record[12] & 0x7F,
            asserted=not record[12] & 0x80,
            event_data=record[13:16].hex(),
        )
    return described


def nonce_record(nonce: bytes) -> bytes:
    """The record that carries a nonce: OEM, without timestamp, 13 bytes (section 32.3). The BMC chooses its id."""
    return bytes([0, 0, OEM_NONCE_TYPE, NONCE_MARK]) + nonce


def holds_nonce(record: bytes | None, nonce: bytes) -> bool:
    return record is not None and record[2:] == nonce_record(nonce)[2:]


def last_record(bmc) -> bytes | None:
    return read_record(bmc, LAST_RECORD)[0]


def add_record(bmc, record: bytes) -> None:
    """Add SEL Entry (section 31.6).

    :raises LogFull: when there is no room.
    :raises BmcUnsupported: when the BMC takes no records from outside.
    """
    for _attempt in range(100):
        try:
            bmc.raw(0x0A, 0x44, record, what="add a record to its event log", repeatable=False)
            return
        except BmcCommandError as error:
            if error.code == ERASE_IN_PROGRESS:
                time.sleep(0.2)  # the session's deadline ends this
                continue
            if error.code == OUT_OF_SPACE or (
                error.code in FULL_CODES and read_log_info(bmc)["free_bytes"] in range(RECORD_BYTES)
            ):
                raise LogFull("the BMC's event log is full") from error
            if error.code in UNSUPPORTED_CODES or error.code == 0x80:
                raise BmcUnsupported(
                    f"{error}. It takes no records over the LAN: "
                    "use the weaker one-shot token for this node (weak_boot_token)"
                ) from error
            raise
    raise BmcError("the BMC is still erasing its event log; try again in a minute")


def clear_log(bmc) -> None:
    """Clear SEL and wait until it is erased (sections 31.4 and 31.9)."""
    try:
        reservation = bmc.raw(0x0A, 0x42, what="reserve its event log")[0:2]
    except BmcCommandError:
        reservation = bytes(2)  # reservations are optional
    bmc.raw(0x0A, 0x47, reservation + b"CLR" + bytes([0xAA]), what="clear its event log")
    while (
        bmc.raw(0x0A, 0x47, reservation + b"CLR" + bytes([0x00]), what="say how far clearing its event log is")[0]
        & 0x0F
        != 0x01
    ):
        time.sleep(0.2)  # the session's deadline ends this


def place_nonce(bmc, nonce: bytes) -> list | None:
    """Make the nonce the last record; returns the records of the log when it was full and had to be cleared, else None.

    :raises BmcUnconfirmed: when the record cannot be read back.
    """
    cleared = None
    try:
        add_record(bmc, nonce_record(nonce))
        placed = holds_nonce(last_record(bmc), nonce)
        if not placed and read_log_info(bmc)["free_bytes"] not in range(RECORD_BYTES):
            placed = any(holds_nonce(record, nonce) for record in read_log(bmc))  # an event came in after it
        full = not placed
    except LogFull:
        full = True
    if full:
        cleared = list(read_log(bmc))
        clear_log(bmc)
        add_record(bmc, nonce_record(nonce))
        if not any(holds_nonce(record, nonce) for record in read_log(bmc)):
            raise BmcUnconfirmed(
                "the BMC accepted the nonce but does not show it in its event log; check that the log is enabled, "
                "or use the weaker one-shot token for this node (weak_boot_token)"
            )
    return cleared
