# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nonce is in the event log where the machine itself will read it."""

from __future__ import annotations

import secrets

import pytest


def entries(bmc) -> list[bytes]:
    """The event log as the node's agent reads it: Get SEL Entry from the first on, by another client."""
    found, record = [], 0
    while record != 0xFFFF:
        words = ["0x0a", "0x43", "0", "0", str(record & 0xFF), str(record >> 8), "0", "0xff"]
        shown = bmc.ipmitool("raw", *words, check=False)
        if "rsp=0xcb" in shown:
            break
        answer = bytes.fromhex(shown.replace(" ", "").replace("\n", ""))
        record = int.from_bytes(answer[0:2], "little")
        found.append(answer[2:])
    return found


def nonces(bmc) -> list[str]:
    return [record[4:].hex() for record in entries(bmc) if record[2] == 0xE0 and record[3] == 0x4D]


def test_nonce_can_be_read_by_the_machine(bmc, run_module):
    nonce = secrets.token_hex(12)
    run = run_module("bmc_nonce", bmc, nonce=nonce)
    assert (run["changed"], run["verified"], run["entries"], run["cleared_log"]) == (True, True, 1, [])
    assert nonces(bmc) == [nonce]
    assert nonce not in str(run.result)


def test_same_nonce_again_changes_nothing_and_a_new_one_is_last(bmc, run_module):
    first, second = secrets.token_hex(12), secrets.token_hex(12)
    assert run_module("bmc_nonce", bmc, nonce=first)["changed"] is True
    assert run_module("bmc_nonce", bmc, nonce=first.upper())["changed"] is False
    assert run_module("bmc_nonce", bmc, nonce=second)["changed"] is True
    assert run_module("bmc_nonce", bmc, nonce=first)["changed"] is True
    assert nonces(bmc) == [first, second, first]


def test_check_mode_adds_nothing(bmc, run_module):
    run = run_module("bmc_nonce", bmc, check=True, nonce=secrets.token_hex(12))
    assert (run["changed"], run["verified"]) == (True, False)
    assert entries(bmc) == []


@pytest.mark.parametrize("nonce", ["", "00", "g" * 24, "0" * 26])
def test_what_is_no_nonce_is_refused(bmc, run_module, nonce):
    run = run_module("bmc_nonce", bmc, nonce=nonce)
    assert run.failed
    assert "24 hexadecimal digits" in run["msg"]
    assert entries(bmc) == []


def test_full_log_is_saved_and_cleared(make_bmc, run_module):
    bmc = make_bmc(sel_entries=5)
    older = [secrets.token_hex(12) for _number in range(5)]
    for nonce in older:
        assert run_module("bmc_nonce", bmc, nonce=nonce)["cleared_log"] == []
    nonce = secrets.token_hex(12)
    run = run_module("bmc_nonce", bmc, nonce=nonce)
    assert [record["raw"][8:] for record in run["cleared_log"]] == older
    assert nonces(bmc) == [nonce]


@pytest.mark.parametrize("kind", ["full", "lossy"])
def test_logs_that_are_full_in_their_own_way(make_scripted_bmc, run_module, kind):
    run = run_module("bmc_nonce", make_scripted_bmc(sel=kind), nonce=secrets.token_hex(12))
    assert [record["id"] for record in run["cleared_log"]] == [1, 2, 3]
    assert (run["entries"], run["verified"]) == (1, True)


def test_bmc_that_takes_no_records_says_what_else_to_do(make_scripted_bmc, run_module):
    run = run_module("bmc_nonce", make_scripted_bmc(), nonce=secrets.token_hex(12))
    assert run.failed
    assert run["bmc_error"] == "unsupported"
    assert "weak_boot_token" in run["msg"]
