# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power really acts on the machine behind the BMC, and what is said was read back."""

from __future__ import annotations

import pytest


def test_on_and_off_reach_the_machine(bmc, run_module):
    on = run_module("bmc_power", bmc, state="on")
    assert (on["changed"], on["power_state"], on["previous_power_state"], on["action"]) == (True, "on", "off", "on")
    assert on["verified"] is True
    assert bmc.get("power") == "1"
    assert on["diff"] == {"before": {"power_state": "off"}, "after": {"power_state": "on"}}
    off = run_module("bmc_power", bmc, state="off")
    assert (off["changed"], off["power_state"]) == (True, "off")
    assert bmc.get("power") == "0"
    assert bmc.log() == ["power 1", "power 0"]


@pytest.mark.parametrize(("power", "state"), [("1", "on"), ("0", "off"), ("0", "soft_off")])
def test_state_that_is_reached_is_ok_and_sends_nothing(bmc, run_module, power, state):
    bmc.set("power", power)
    run = run_module("bmc_power", bmc, state=state)
    assert (run["changed"], run["action"], run["verified"]) == (False, "none", True)
    assert bmc.log() == []


def test_reset_keeps_power(bmc, run_module):
    bmc.set("power", "1")
    run = run_module("bmc_power", bmc, state="reset")
    assert (run["changed"], run["action"], run["power_state"]) == (True, "reset", "on")
    assert bmc.log() == ["reset"]


def test_cycle_takes_power_away_for_a_second(bmc, run_module):
    bmc.set("power", "1")
    run = run_module("bmc_power", bmc, state="cycle")
    assert (run["changed"], run["action"], run["power_state"], run["verified"]) == (True, "cycle", "on", True)
    assert bmc.log() == ["power 0", "power 1"]
    assert 1.0 <= run["seconds"] < 15


@pytest.mark.parametrize("state", ["reset", "cycle"])
def test_restart_of_a_machine_that_is_off_switches_it_on(bmc, run_module, state):
    run = run_module("bmc_power", bmc, state=state)
    assert (run["changed"], run["action"], run["power_state"]) == (True, "on", "on")
    assert bmc.log() == ["power 1"]


@pytest.mark.parametrize("state", ["on", "reset", "cycle"])
def test_boot_device_is_there_before_the_machine_starts(bmc, run_module, state):
    bmc.set("power", "0" if state == "on" else "1")
    run = run_module("bmc_power", bmc, state=state, boot_device="network", uefi=True)
    assert (run["changed"], run["power_state"]) == (True, "on")
    words = {"on": ["boot pxe", "power 1"], "reset": ["boot pxe", "reset"], "cycle": ["power 0", "boot pxe", "power 1"]}
    assert bmc.log() == words[state]


def test_boot_device_of_a_machine_that_is_on_stays(bmc, run_module):
    bmc.set("power", "1")
    run = run_module("bmc_power", bmc, state="on", boot_device="network")
    assert run["changed"] is False
    assert bmc.log() == []


def test_boot_device_does_not_go_with_off(bmc, run_module):
    run = run_module("bmc_power", bmc, state="off", boot_device="disk")
    assert "boot_device=disk does not go with state=off" in run["msg"]
    assert bmc.log() == []


def test_soft_off_asks_the_operating_system(bmc, run_module):
    bmc.set("power", "1")
    run = run_module("bmc_power", bmc, state="soft_off")
    assert (run["changed"], run["power_state"]) == (True, "off")
    assert bmc.log() == ["shutdown"]


def test_soft_off_that_is_ignored_fails_and_says_what_to_do(bmc, run_module):
    bmc.set("power", "1")
    (bmc.state / "deaf").touch()
    run = run_module("bmc_power", bmc, state="soft_off", wait_timeout=2)
    assert run.failed
    assert run["bmc_error"] == "unconfirmed"
    assert "still on and not off after 2 s" in run["msg"]
    assert "state=off" in run["msg"]
    assert run.seconds < 10


def test_power_that_comes_late_is_waited_for(bmc, run_module):
    bmc.set("slow", "4")
    run = run_module("bmc_power", bmc, state="on", wait_timeout=20)
    assert (run["changed"], run["power_state"], run["verified"]) == (True, "on", True)
    assert run["seconds"] > 1


def test_power_that_never_comes_fails_in_time(bmc, run_module):
    (bmc.state / "stuck").touch()
    run = run_module("bmc_power", bmc, state="on", wait_timeout=2)
    assert run.failed
    assert run["bmc_error"] == "unconfirmed"
    assert run.seconds < 10


def test_without_waiting_nothing_is_claimed(bmc, run_module):
    (bmc.state / "stuck").touch()
    run = run_module("bmc_power", bmc, state="on", wait_timeout=0)
    assert (run["changed"], run["verified"], run["power_state"]) == (True, False, "off")


def test_cycle_must_be_confirmed(bmc, run_module):
    run = run_module("bmc_power", bmc, state="cycle", wait_timeout=0)
    assert run.failed
    assert "wait_timeout=0" in run["msg"]
    assert bmc.log() == []


@pytest.mark.parametrize(
    ("power", "state", "changed", "after"),
    [("0", "on", True, "on"), ("1", "on", False, "on"), ("1", "cycle", True, "on"), ("1", "soft_off", True, "off")],
)
def test_check_mode_says_and_does_not(bmc, run_module, power, state, changed, after):
    bmc.set("power", power)
    run = run_module("bmc_power", bmc, check=True, state=state)
    assert (run["changed"], run["power_state"]) == (changed, after)
    assert run["diff"]["before"] == {"power_state": "on" if power == "1" else "off"}
    assert bmc.log() == []
    assert bmc.get("power") == power


def test_busy_bmc_is_asked_again(make_scripted_bmc, run_module):
    run = run_module("bmc_power", make_scripted_bmc(busy=3), state="on")
    assert (run["changed"], run["power_state"]) == (True, "on")


def test_interlock_is_named(make_scripted_bmc, run_module):
    run = run_module("bmc_power", make_scripted_bmc(interlock=True), state="on")
    assert run.failed
    assert run["bmc_error"] == "refused"
    assert "interlock" in run["msg"]


def test_power_failure_inside_the_bmc_is_reported(bmc, run_module):
    (bmc.state / "refuse").touch()
    run = run_module("bmc_power", bmc, state="on", wait_timeout=2)
    assert run.failed
    assert run["bmc_error"] in ("refused", "unconfirmed")
