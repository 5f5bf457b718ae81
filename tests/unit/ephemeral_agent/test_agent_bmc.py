"""The nonce's record in a SEL as it comes over the wire (IPMI 2.0, table 32-1)."""

from metalpool_agent import bmc

NONCE = bytes(range(12))


def record(number: int, kind: int, data: bytes) -> bytes:
    return number.to_bytes(2, "little") + bytes([kind]) + data.ljust(13, b"\0")


def test_nonce_record():
    assert bmc.nonce_of(record(7, 0xE0, b"M" + NONCE)) == NONCE.hex()


def test_other_records_are_no_nonce():
    assert bmc.nonce_of(record(7, 0x02, b"M" + NONCE)) is None
    assert bmc.nonce_of(record(7, 0xE0, b"X" + NONCE)) is None
    assert bmc.nonce_of(b"M" + NONCE) is None


def test_the_last_nonce_counts_also_behind_other_records():
    log = record(1, 0xE0, b"M" + bytes(12)) + record(2, 0xE0, b"M" + NONCE) + record(3, 0x02, b"power")
    assert bmc.last_nonce(log) == NONCE.hex()


def test_log_without_nonce_or_cut_short():
    assert bmc.last_nonce(b"") is None
    assert bmc.last_nonce(record(3, 0x02, b"power")) is None
    assert bmc.last_nonce(record(1, 0xE0, b"M" + NONCE) + b"\1\0\2") == NONCE.hex()
