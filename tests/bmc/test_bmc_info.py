# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a BMC tells about itself, and that asking changes nothing."""

from __future__ import annotations


def test_identity_power_and_boot_device(bmc, run_module):
    run = run_module("bmc_info", bmc)
    assert (run["power_state"], run["changed"]) == ("off", False)
    assert run["boot_device"] == {"device": "default", "persistent": False, "uefi": False}
    identity = run["identity"]
    assert (identity["firmware"], identity["ipmi_version"]) == ("9.08", "2.0")
    assert (identity["manufacturer_id"], identity["product_id"]) == (0x1291, 0xF02)
    assert identity["guid"].startswith("674523a1-ab89-efcd-a123-4567")
    assert "sel" not in run.result


def test_asking_for_everything_changes_nothing(bmc, run_module):
    bmc.ipmitool("raw", "0x0a", "0x44", *["0"] * 2, "0xe0", *["7"] * 13)
    run = run_module("bmc_info", bmc, gather=["lan", "sel", "sensors"])
    assert run["changed"] is False
    assert [lan["channel"] for lan in run["lan"]] == [1]
    assert run["sel_info"]["entries"] == 1
    assert run["sel"][0]["type"] == 0xE0
    assert run["sel"][0]["raw"].endswith("07" * 13)
    assert isinstance(run["sensors"], list)
    assert bmc.log() == []
    again = run_module("bmc_info", bmc, gather=["lan", "sel", "sensors"])
    for result in (run.result, again.result):
        result.pop("seconds")
    assert run.result == again.result


def test_check_mode_is_the_same(bmc, run_module):
    assert run_module("bmc_info", bmc, check=True)["power_state"] == "off"


def test_maker_is_named(make_scripted_bmc, run_module):
    run = run_module("bmc_info", make_scripted_bmc(manufacturer=10876))
    assert run["identity"]["maker"] == "Supermicro"
    assert run["identity"]["firmware"] == "2.10"
    assert run["identity"]["guid"] is None


def test_boot_device_that_is_not_reported_is_unknown(make_scripted_bmc, run_module):
    run = run_module("bmc_info", make_scripted_bmc(flags="unreadable"))
    assert run["boot_device"]["device"] == "unknown"
    assert run["boot_reported"] == {}


def test_options_come_from_the_environment(bmc, start_module):
    environment = {
        "METALPOOL_BMC_HOST": bmc.address,
        "METALPOOL_BMC_PORT": str(bmc.port),
        "METALPOOL_BMC_USER": bmc.user,
        "METALPOOL_BMC_PASSWORD": bmc.password,
        "METALPOOL_BMC_TIMEOUT": "20",
    }
    run = start_module("bmc_info", env=environment)()
    assert run["power_state"] == "off"
    assert run["invocation"]["module_args"]["timeout"] == 20


def test_address_is_an_alias_of_the_host(bmc, start_module):
    run = start_module(
        "bmc_info", address=bmc.address, bmc_port=bmc.port, bmc_user=bmc.user, bmc_password=bmc.password
    )()
    assert run["power_state"] == "off"
