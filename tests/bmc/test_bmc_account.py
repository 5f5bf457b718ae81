# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a BMC, over the LAN; the tests with the virtual lab do the same inside a guest, over KCS."""

from __future__ import annotations

import secrets

import pytest

OURS = {"interface": "lan", "name": "metalpool", "password": "0123456789abcdef"}
USERS = [["admin", "factory-pw"], ["operator", "another-pw"]]


def test_account_is_made_and_can_log_in(bmc, run_module):
    password = secrets.token_hex(8)
    run = run_module("bmc_account", bmc, interface="lan", name="metalpool", password=password)
    assert run["changed"] is True
    assert run["account"]["name"] == "metalpool"
    assert run["account"]["privilege"] == "ADMINISTRATOR"
    assert run["account"]["messaging"] is True
    assert [other["name"] for other in run["others"]] == ["", "admin"]
    assert run["identity"]["firmware"] == "9.08"
    assert password not in str(run.result)
    done = run_module("bmc_power", bmc, bmc_user="metalpool", bmc_password=password, state="on")
    assert done["power_state"] == "on"


def test_password_is_changed(bmc, run_module):
    for password in (secrets.token_hex(8), secrets.token_hex(8)):
        run_module("bmc_account", bmc, interface="lan", name="metalpool", password=password)
        assert not run_module("bmc_info", bmc, bmc_user="metalpool", bmc_password=password).failed


def test_bmc_that_says_yes_to_every_password_is_not_believed(bmc, run_module):
    run = run_module("bmc_account", bmc, **OURS)
    assert run["verified"] is False
    assert run_module("bmc_account", bmc, **OURS)["account"]["changes"] == ["password"]


def test_others_lose_their_access_over_the_lan(bmc, run_module):
    run = run_module("bmc_account", bmc, others="disable", **OURS)
    assert run["disabled"] == ["", "admin"]
    assert run_module("bmc_info", bmc)["bmc_error"] == "auth"
    bmc.user, bmc.password = OURS["name"], OURS["password"]
    assert run_module("bmc_account", bmc, others="disable", **OURS)["disabled"] == []


def test_account_that_is_as_wanted_stays_untouched(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS)
    first = run_module("bmc_account", bmc, **OURS)
    assert first["account"] == {
        "id": 4,
        "name": "metalpool",
        "enabled": True,
        "privilege": "ADMINISTRATOR",
        "messaging": True,
        "sol": True,
        "changes": ["name", "password", "access", "enabled", "sol"],
    }
    assert first["verified"] is True
    again = run_module("bmc_account", bmc, **OURS)
    assert (again["changed"], again["account"]["changes"], again["verified"]) == (False, [], True)
    new = run_module("bmc_account", bmc, **{**OURS, "password": "another-password"})
    assert (new["changed"], new["account"]["changes"]) == (True, ["password"])
    assert new["account"]["id"] == 4


def test_channel_with_an_address_is_chosen(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS)
    run = run_module("bmc_account", bmc, interface="lan")
    assert run["lan"] == {
        "channel": 8,
        "address": "10.0.0.8",
        "source": "dhcp",
        "mac": "02:00:00:00:00:08",
        "netmask": "255.255.255.0",
        "gateway": None,
    }
    assert run_module("bmc_account", bmc, interface="lan", channel=1)["lan"]["channel"] == 1


def test_without_a_name_it_only_reports(make_scripted_bmc, run_module):
    run = run_module("bmc_account", make_scripted_bmc(users=USERS), interface="lan")
    assert (run["changed"], run["account"], run["verified"]) == (False, {}, False)
    assert [user["name"] for user in run["users"]] == ["admin", "operator"]


def test_others_are_kept_reported_or_disabled(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS)
    assert "warnings" not in run_module("bmc_account", bmc, **OURS).result
    report = run_module("bmc_account", bmc, others="report", **OURS)
    assert report["changed"] is False
    assert "'admin', 'operator'" in str(report["warnings"])
    planned = run_module("bmc_account", bmc, check=True, others="disable", **OURS)
    assert (planned["changed"], planned["disabled"]) == (True, ["admin", "operator"])
    assert [user["enabled"] for user in planned["users"]] == [True, True, True]
    done = run_module("bmc_account", bmc, others="disable", **OURS)
    assert done["disabled"] == ["admin", "operator"]
    assert {user["name"]: user["enabled"] for user in done["users"]} == {
        "admin": False,
        "operator": False,
        "metalpool": True,
    }
    assert run_module("bmc_account", bmc, others="disable", **OURS)["changed"] is False


def test_bmc_that_cannot_disable_gives_no_access(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS, rules=["stubborn"])
    run = run_module("bmc_account", bmc, others="disable", **OURS)
    assert [user["privilege"] for user in run["users"]] == ["NO ACCESS", "NO ACCESS", "ADMINISTRATOR"]


def test_check_mode_changes_nothing(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS, lan_off=True)
    run = run_module("bmc_account", bmc, check=True, **OURS)
    assert (run["changed"], run["lan_enabled"], run["verified"]) == (True, True, False)
    assert run["account"]["changes"] == ["name", "password", "access", "enabled", "sol"]
    assert [user["name"] for user in run["diff"]["before"]["users"]] == ["admin", "operator"]
    assert [user["name"] for user in run["diff"]["after"]["users"]] == ["admin", "operator", "metalpool"]
    after = run_module("bmc_account", bmc, interface="lan")
    assert [user["name"] for user in after["users"]] == ["admin", "operator"]


def test_lan_access_is_switched_on(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS, lan_off=True)
    assert run_module("bmc_account", bmc, **OURS)["lan_enabled"] is True
    assert run_module("bmc_account", bmc, **OURS)["lan_enabled"] is False
    assert bmc.ipmitool("raw", "6", "0x41", "8", "0x40").split()[0] == "2a"


def test_bmc_without_serial_over_lan_is_no_error(make_scripted_bmc, run_module):
    run = run_module("bmc_account", make_scripted_bmc(users=USERS, rules=["no_sol"]), **OURS)
    assert run["account"]["sol"] is None
    assert "sol" not in run["account"]["changes"]


def test_bmc_that_drops_long_passwords_is_found_out(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(users=USERS, rules=["short_passwords"])
    run = run_module("bmc_account", bmc, **{**OURS, "password": "0123456789abcdef0123"})
    assert run["verified"] is False
    assert "more than 16 bytes" in str(run["warnings"])
    assert run_module("bmc_account", bmc, **OURS)["verified"] is True


def test_password_against_the_bmcs_rules(make_scripted_bmc, run_module):
    run = run_module("bmc_account", make_scripted_bmc(users=USERS, rules=["strict"]), **{**OURS, "password": "short-1"})
    assert run.failed
    assert run["bmc_error"] == "refused"
    assert "rules for passwords" in run["msg"]
    assert "short-1" not in str(run.result)


def test_no_free_account(make_scripted_bmc, run_module):
    users = [[f"user{number}", "a-password"] for number in range(2, 11)]
    run = run_module("bmc_account", make_scripted_bmc(users=users), **OURS)
    assert run.failed
    assert run["bmc_error"] == "unsupported"
    assert "taken" in run["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "n" * 17, "password": "a-password"}, ["name has 17 bytes", "1 to 16"]),
        ({"name": "a", "password": "p" * 21}, ["password has 21 bytes", "1 to 20"]),
        ({"name": "a", "password": ""}, ["password has 0 bytes"]),
        ({"name": "a"}, ["password"]),
        ({"others": "disable"}, ["others=disable", "name"]),
        ({"others": "remove"}, ["others", "keep"]),
        ({"interface": "lan"}, ["bmc_host"]),
        ({"timeout": 1}, ["timeout=1"]),
    ],
)
def test_options_that_cannot_work_are_named(run_module, options, words):
    run = run_module("bmc_account", **options)
    assert run.failed
    for word in words:
        assert word in run["msg"]


def test_machine_without_a_bmc(run_module):
    run = run_module("bmc_account", device="/dev/ipmi-that-is-not-there")
    assert run.failed
    assert run["bmc_error"] == "unreachable"
    assert "run as root" in run["msg"]
