# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, codecs, the lock and the deadline of the BMC modules; what speaks to a BMC is tested in tests/bmc."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import time

import pytest
from ansible_collections.metalpool.core.plugins.module_utils import (
    _bmc,
    _bmc_boot,
    _bmc_deadline,
    _bmc_errors,
    _bmc_identity,
    _bmc_inband,
    _bmc_lock,
    _bmc_quirks,
    _bmc_sel,
    _bmc_users,
)


@pytest.mark.parametrize("device", _bmc_quirks.BOOT_SELECTORS)
def test_names_of_boot_devices_survive_the_way_there_and_back(device):
    assert _bmc_quirks.boot_device_name(_bmc_quirks.boot_selector(device, False)) == device


@pytest.mark.parametrize("quirks", _bmc_quirks.QUIRKS_BY_MANUFACTURER.values())
def test_quirks_name_known_devices_and_fit_the_field(quirks):
    assert set(quirks.uefi_selectors) <= set(_bmc_quirks.BOOT_SELECTORS)
    assert all(selector & ~0x3C == 0 for selector in quirks.uefi_selectors.values())


def test_unknown_boot_device_raises():
    with pytest.raises(ValueError, match="'floppy' is unknown; use one of cdrom"):
        _bmc_quirks.boot_selector("floppy", False)


def test_default_clears_every_flag():
    wanted = _bmc_boot.wanted_override("default", True, True, _bmc_quirks.STANDARD)
    assert (wanted.flags, wanted.selector) == (0, 0)


def test_flags_without_the_valid_bit_mean_nothing():
    override = _bmc_boot.BootOverride(0x60, 0x04)
    assert override.as_dict(_bmc_quirks.STANDARD) == {"device": "default", "persistent": False, "uefi": False}
    assert override.as_reported(_bmc_quirks.STANDARD)["device"] == "network"


def test_records_of_the_event_log():
    event = bytes([1, 0, 2]) + (1767225600).to_bytes(4, "little") + bytes([0x20, 0, 4, 1, 0x30, 0x81, 0x57, 0, 0])
    described = _bmc_sel.describe_record(event)
    assert described["time"] == "2026-01-01T00:00:00Z"
    assert (described["sensor_type"], described["sensor_number"], described["asserted"]) == (1, 0x30, False)
    assert _bmc_sel.describe_record(bytes([1, 0, 2, 5, 0, 0, 0]) + bytes(9))["time"] is None


def test_nonce_record_is_what_the_contract_says():
    nonce = bytes(range(12))
    record = _bmc_sel.nonce_record(nonce)
    assert len(record) == 16
    assert record[2:4] == b"\xe0M"
    assert _bmc_sel.holds_nonce(b"\x09\x00" + record[2:], nonce)
    assert not _bmc_sel.holds_nonce(record, bytes(12))
    assert not _bmc_sel.holds_nonce(None, nonce)


def test_passwords_are_sent_in_16_bytes_where_they_fit():
    assert len(_bmc_users._password_request(3, 2, "p" * 16)) == 18
    long = _bmc_users._password_request(3, 2, "p" * 17)
    assert (len(long), long[0]) == (22, 0x83)


def test_free_account_spares_anonymous_fixed_and_maker():
    def user(number, name="", fixed=False):
        return _bmc_users.User(number, name, False, 15, False, fixed=fixed)

    assert _bmc_users.free_id([user(1), user(2), user(3, "a"), user(4)]) == 4
    assert _bmc_users.free_id([user(1), user(2), user(3, "a")]) == 2
    with pytest.raises(_bmc_errors.BmcUnsupported):
        _bmc_users.free_id([user(1), user(2, fixed=True), user(3, "a")])


class Answers:
    """A conversation that answers everything with one thing."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def raw(self, *_arguments, **_keywords) -> bytes:
        return self.data


def test_identity_of_the_specification():
    data = bytes([0x20, 0x01, 0x82, 0x35, 0x02, 0xBF, 0xA2, 0x02, 0x00, 0x00, 0x01])
    identity = _bmc_identity.read_identity(Answers(data))
    assert (identity.firmware, identity.ipmi_version) == ("2.35", "2.0")
    assert (identity.manufacturer_id, identity.product_id) == (674, 256)
    with pytest.raises(_bmc_errors.BmcUnsupported):
        _bmc_identity.read_identity(Answers(b"\x20"))


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="numbers of 64 bit machines")
def test_numbers_of_the_ipmi_driver():
    """As in the kernel's header, where they hold the sizes of its structures."""
    assert (_bmc_inband.SEND_COMMAND, _bmc_inband.RECEIVE_TRUNCATED) == (0x8028690D, 0xC030690B)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Incorrect password provided", "auth"),
        ("Unauthorized name in RAKP2", "auth"),
        ("Insufficient resources to create new session (wait for existing sessions to timeout)", "busy"),
        ("No Cipher suite match with proposed security algorithms", "auth"),
        ("None", "unreachable"),
        ("timeout", "unreachable"),
        ("Session no longer connected", "unreachable"),
        ("something new", "failed"),
    ],
)
def test_what_pyghmi_says_becomes_a_kind_and_an_advice(text, kind):
    error = _bmc._login_error(_bmc.BmcOptions("10.0.0.1", "admin", "secret-of-tests"), RuntimeError(text))
    assert error.as_result()["bmc_error"] == kind
    assert "10.0.0.1 port 623" in error.as_result()["msg"]
    assert "secret-of-tests" not in error.as_result()["msg"]


def test_deadline_ends_a_wait_and_restores_what_was():
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    with pytest.raises(_bmc_deadline.DeadlineReached), _bmc_deadline.time_limit(0.1):
        signal.pause()
    assert 0.05 < time.monotonic() - began < 1
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_inner_deadline_does_not_lengthen_the_outer_one():
    began = time.monotonic()
    with pytest.raises(_bmc_deadline.DeadlineReached), _bmc_deadline.time_limit(0.1), _bmc_deadline.time_limit(5):
        signal.pause()
    assert time.monotonic() - began < 1
    with _bmc_deadline.time_limit(5):
        with _bmc_deadline.time_limit(0.5):
            pass
        assert 3 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5


def test_lock_excludes_and_names_its_holder(tmp_path):
    directory = str(tmp_path / "locks")
    with _bmc_lock.bmc_lock(directory, "fe80::1%eth0", 623):
        path = _bmc_lock.lock_path(directory, "fe80::1%eth0", 623)
        with open(path, encoding="utf-8") as handle, pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert _bmc_lock.lock_holder(directory, "fe80::1%eth0", 623) == f"pid {os.getpid()}"
    with open(path, encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_lock_of_another_user_can_be_taken(tmp_path):
    path = tmp_path / "10.0.0.1-623"
    path.write_text("pid 1\n")
    path.chmod(0o444)
    with _bmc_lock.bmc_lock(str(tmp_path), "10.0.0.1", 623):
        pass


def test_lock_follows_no_link(tmp_path):
    (tmp_path / "10.0.0.1-623").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), _bmc_lock.bmc_lock(str(tmp_path), "10.0.0.1", 623):
        pass
    assert not (tmp_path / "elsewhere").exists()
