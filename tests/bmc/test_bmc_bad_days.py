# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong passwords, dead and stalled BMCs: a clear message, in time, and nothing left behind."""

from __future__ import annotations

import os
import signal
import time

import pytest

SLACK = 6  # seconds that starting a module's process may take on a machine that does much else


def test_wrong_password(bmc, run_module):
    run = run_module("bmc_info", bmc, bmc_password="wr0ng-of-tests")
    assert run.failed
    assert run["bmc_error"] == "auth"
    assert "bmc_password" in run["msg"]
    assert run.seconds < 4 + SLACK
    assert "wr0ng-of-tests" not in str(run.result)


def test_unknown_user(bmc, run_module):
    run = run_module("bmc_info", bmc, bmc_user="nobody")
    assert run.failed
    assert run["bmc_error"] == "auth"
    assert "'nobody'" in run["msg"]
    assert run.seconds < 10 + SLACK


def test_privilege_that_is_too_low(make_scripted_bmc, run_module):
    """ipmi_sim gives every user every privilege, so another BMC has to refuse."""
    run = run_module("bmc_power", make_scripted_bmc(unprivileged=True), state="on")
    assert run.failed
    assert run["bmc_error"] == "refused"
    assert "ADMINISTRATOR" in run["msg"]


def test_bmc_without_a_free_session(make_scripted_bmc, run_module):
    run = run_module("bmc_info", make_scripted_bmc(slots=0))
    assert run.failed
    assert run["bmc_error"] == "busy"
    assert "no free session" in run["msg"]
    assert run.seconds < 4 + SLACK


@pytest.mark.parametrize("timeout", [3, 15])
def test_dead_bmc_fails_within_the_timeout(bmc, run_module, timeout):
    bmc.stop()
    run = run_module("bmc_info", bmc, timeout=timeout)
    assert run.failed
    assert run["bmc_error"] == "unreachable"
    assert f"no answer from a BMC at {bmc.address} port {bmc.port}" in run["msg"]
    assert "firewall" in run["msg"]
    assert run.seconds < timeout + SLACK


def test_bmc_that_stalls_fails_within_the_timeout_and_is_usable_after(bmc, run_module):
    os.kill(bmc.pid, signal.SIGSTOP)
    try:
        run = run_module("bmc_info", bmc, timeout=4)
    finally:
        os.kill(bmc.pid, signal.SIGCONT)
    assert run.failed
    assert run["bmc_error"] == "unreachable"
    assert run.seconds < 4 + SLACK
    assert run_module("bmc_info", bmc)["power_state"] == "off"


@pytest.mark.parametrize("commands", [1, 2])
def test_bmc_that_falls_silent_in_the_middle(make_scripted_bmc, run_module, commands):
    run = run_module("bmc_boot_device", make_scripted_bmc(silent_after=commands), timeout=5, device="network")
    assert run.failed
    assert run["bmc_error"] in ("timeout", "unreachable")
    assert run.seconds < 5 + SLACK


def test_state_is_unknown_when_the_answer_to_a_power_command_is_lost(make_scripted_bmc, run_module):
    run = run_module("bmc_power", make_scripted_bmc(silent_after=1), timeout=20, state="on")
    assert run.failed
    assert run["bmc_error"] in ("timeout", "unreachable")


def test_name_that_does_not_resolve(run_module):
    run = run_module("bmc_info", bmc_host="no-such-bmc.invalid", bmc_user="a", bmc_password="b-of-tests", timeout=10)
    assert run.failed
    assert run["bmc_error"] == "unreachable"
    assert "no-such-bmc.invalid" in run["msg"]
    assert run.seconds < 10 + SLACK


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bmc_port": 0}, ["bmc_port=0", "1 to 65535"]),
        ({"bmc_port": 70000}, ["bmc_port=70000", "1 to 65535"]),
        ({"timeout": 0}, ["timeout=0", "2 seconds"]),
        ({"bmc_user": "u" * 17}, ["bmc_user", "17 bytes", "16"]),
        ({"bmc_password": "p" * 21}, ["bmc_password", "21 bytes", "20"]),
        ({"kind": "redfish"}, ["kind", "ipmi"]),
    ],
)
def test_options_that_cannot_work_are_named(run_module, options, words):
    arguments = {"bmc_host": "127.0.0.1", "bmc_user": "a", "bmc_password": "b-of-tests", **options}
    run = run_module("bmc_info", **arguments)
    assert run.failed
    for word in words:
        assert word in run["msg"]


def test_missing_options_are_named(run_module):
    run = run_module("bmc_info", bmc_host="127.0.0.1")
    assert run.failed
    assert "bmc_password" in run["msg"]


def test_password_is_in_no_argument_list(bmc, start_module):
    os.kill(bmc.pid, signal.SIGSTOP)
    try:
        finish = start_module(
            "bmc_info", bmc_host=bmc.address, bmc_port=bmc.port, bmc_user=bmc.user, bmc_password=bmc.password
        )
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            with open(f"/proc/{finish.pid}/cmdline", "rb") as handle:
                assert bmc.password.encode() not in handle.read()
    finally:
        os.kill(bmc.pid, signal.SIGCONT)
    assert bmc.password not in str(finish().result)
