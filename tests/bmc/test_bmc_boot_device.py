# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot device reaches the machine; what the BMC reports back is confirmed, and only that."""

from __future__ import annotations

import pytest

SUPERMICRO = 10876
# What ipmi_sim calls the devices, and the raw second byte of the boot flags.
DEVICES = {"network": ("pxe", 0x04), "disk": ("default", 0x08), "cdrom": ("cdrom", 0x14), "setup": ("bios", 0x18)}


@pytest.mark.parametrize("device", DEVICES)
def test_device_reaches_the_machine(bmc, run_module, device):
    name, selector = DEVICES[device]
    run = run_module("bmc_boot_device", bmc, device=device)
    assert run["changed"] is True
    assert bmc.get("boot") == name
    assert bmc.ipmitool("raw", "0", "9", "5", "0", "0").split()[3] == f"{selector:02x}"


def test_bmc_that_forgets_flags_confirms_the_device_only(bmc, run_module):
    run = run_module("bmc_boot_device", bmc, device="network", uefi=True, persistent=True)
    assert run["verified"] == {"device": True, "persistent": False, "uefi": False}
    assert run["reported"] == {"device": "network", "valid": False, "persistent": False, "uefi": False}
    assert "warnings" not in run.result


def test_second_run_changes_nothing_but_sends_the_flags_again(bmc, run_module):
    assert run_module("bmc_boot_device", bmc, device="network")["changed"] is True
    assert run_module("bmc_boot_device", bmc, device="network")["changed"] is False
    assert bmc.log() == ["boot pxe", "boot pxe"]


def test_default_removes_the_override(bmc, run_module):
    run_module("bmc_boot_device", bmc, device="network")
    run = run_module("bmc_boot_device", bmc, device="default")
    assert run["changed"] is True
    assert bmc.get("boot") == "none"
    assert run_module("bmc_boot_device", bmc, device="default")["changed"] is False


def test_check_mode_sends_nothing(bmc, run_module):
    run = run_module("bmc_boot_device", bmc, check=True, device="cdrom")
    assert run["changed"] is True
    assert run["diff"]["before"]["device"] == "default"
    assert run["diff"]["after"]["device"] == "cdrom"
    assert bmc.log() == []


def test_unknown_device_is_refused_before_anything_is_sent(bmc, run_module):
    run = run_module("bmc_boot_device", bmc, device="floppy")
    assert run.failed
    assert "network" in run["msg"]
    assert "floppy" in run["msg"]
    assert bmc.log() == []


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("uefi", [False, True])
def test_flags_are_confirmed_where_the_bmc_keeps_them(make_scripted_bmc, run_module, persistent, uefi):
    target = make_scripted_bmc()
    run = run_module("bmc_boot_device", target, device="network", persistent=persistent, uefi=uefi)
    assert run["changed"] is True
    assert run["verified"] == {"device": True, "persistent": True, "uefi": True}
    assert run["reported"] == {"device": "network", "valid": True, "persistent": persistent, "uefi": uefi}
    shown = target.ipmitool("chassis", "bootparam", "get", "5")
    assert ("BIOS EFI boot" in shown) is uefi
    assert ("all future boots" in shown) is persistent
    again = run_module("bmc_boot_device", target, check=True, device="network", persistent=persistent, uefi=uefi)
    assert again["changed"] is False
    assert again["verified"] == {"device": True, "persistent": True, "uefi": True}


@pytest.mark.parametrize(("manufacturer", "selector"), [(SUPERMICRO, "24"), (674, "08")])
def test_quirk_of_a_maker_changes_the_uefi_selector(make_scripted_bmc, run_module, manufacturer, selector):
    target = make_scripted_bmc(manufacturer=manufacturer)
    run = run_module("bmc_boot_device", target, device="disk", uefi=True)
    assert run["reported"]["device"] == "disk"
    assert target.ipmitool("raw", "0", "9", "5", "0", "0").split()[3] == selector


def test_bmc_that_drops_flags_after_a_minute_is_told_apart(make_scripted_bmc, run_module):
    assert run_module("bmc_boot_device", make_scripted_bmc(no_boot_timeout=True), device="network")["kept"] is False
    assert run_module("bmc_boot_device", make_scripted_bmc(), device="network")["kept"] is True


def test_bmc_that_ignores_the_request_is_found_out(make_scripted_bmc, run_module):
    run = run_module("bmc_boot_device", make_scripted_bmc(flags="ignored"), device="network")
    assert run.failed
    assert run["bmc_error"] == "unconfirmed"
    assert "told to boot from network but reports default" in run["msg"]


def test_bmc_that_reports_nothing_confirms_nothing(make_scripted_bmc, run_module):
    run = run_module("bmc_boot_device", make_scripted_bmc(flags="unreadable"), device="network")
    assert run["verified"] == {"device": False, "persistent": False, "uefi": False}
    assert run["reported"] == {}
    assert run["changed"] is True
