"""The parts of the erase methods that need hardware which is not here: what is made of the tools' words."""

from __future__ import annotations

import time

import pytest

HDPARM = """
/dev/sda:

ATA device, with non-removable media
Security:
\tMaster password revision code = 65534
\t\tsupported
\t{enabled}\tenabled
\t{locked}\tlocked
\t{frozen}\tfrozen
\tnot\texpired: security count
\t\tsupported: enhanced erase
\t2min for SECURITY ERASE UNIT. 8min for ENHANCED SECURITY ERASE UNIT.
Logical Unit WWN Device Identifier: 5000c50015ea71ac
"""


@pytest.fixture
def disk(utility):
    return utility("_disks").Disk("sda", "/dev/sda", "/dev/sda", "Model", "S1", None, 1 << 30, "hdd", True, "sata", 512, False)


def hdparm(**states: str) -> str:
    return "cat <<'END'\n" + HDPARM.format(**{"enabled": "not", "locked": "not", "frozen": "not", **states}) + "END\n"


def test_ata_security_is_read(utility, tool, disk) -> None:
    methods = utility("_erase_methods")
    tool("hdparm", hdparm())
    assert methods.ata_security(disk) == {"supported": True, "enabled": False, "locked": False, "frozen": False, "enhanced": True}
    applicable = {method.name: method.probe(disk) for method in methods.METHODS}
    assert applicable["ata_secure_erase_enhanced"] is None and applicable["ata_secure_erase"] is None
    assert applicable["nvme_sanitize_crypto"] == "not an NVMe disk"


def test_frozen_security_is_no_method_and_a_note(utility, tool, disk) -> None:
    methods = utility("_erase_methods")
    tool("hdparm", hdparm(frozen=""))
    assert "frozen" in methods.METHODS[4].probe(disk)
    assert any("frozen" in note for note in methods.hidden_areas(disk))


def test_a_host_protected_area_and_an_overlay_are_noted(utility, tool, disk) -> None:
    tool(
        "hdparm",
        'case "$1" in -N) echo " max sectors   = 100/200, HPA is enabled";; --dco-identify) echo "Real max sectors: 300";; *)\n'
        + hdparm()
        + ";; esac\n",
    )
    notes = utility("_erase_methods").hidden_areas(disk)
    assert any("100/200" in note for note in notes) and any("100 sectors" in note for note in notes)


def test_an_erase_that_leaves_the_password_on_takes_it_off_and_fails(utility, tool, disk, tmp_path) -> None:
    methods = utility("_erase_methods")
    calls = tmp_path / "calls"
    tool("hdparm", f'echo "$*" >> {calls}\ncase "$1" in -I)\n' + hdparm(enabled="") + ";; esac\n")
    with pytest.raises(methods.EraseProblem, match="still locked by its password"):
        methods.METHODS[5].run(methods.Job(disk, time.monotonic() + 10))
    assert "--security-disable" in calls.read_text()


def test_a_disk_locked_by_an_earlier_attempt_is_unlocked_first(utility, tool, disk, tmp_path) -> None:
    methods = utility("_erase_methods")
    state = tmp_path / "erased"
    tool(
        "hdparm",
        f'case "$*" in *--security-unlock*) : > {state}.unlocked;; *--security-erase*) [ -e {state}.unlocked ] && : > {state};; -I*)\n'
        f"if [ -e {state} ]; then\n" + hdparm() + "else\n" + hdparm(enabled="", locked="") + "fi;; esac\n",
    )
    methods.METHODS[5].run(methods.Job(disk, time.monotonic() + 10))
    assert state.exists()


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ({"nvme0": {"sprog": 65535, "sstat": {"status": "(1) Most Recent Sanitize Command Completed Successfully."}}}, 1),
        ({"nvme0n1": {"sprog": 100, "sstat": {"global_erased": 0, "status": 2}}}, 2),
        ({"sprog": 65535, "sstat": 0x101}, 1),
        ({"sstat": 3}, 3),
        ({}, None),
        (None, None),
    ],
)
def test_every_shape_of_the_sanitize_log(utility, log, status) -> None:
    assert utility("_erase_methods").sanitize_status(log) == status


def test_sanitize_waits_until_it_is_done(utility, tool, disk, tmp_path) -> None:
    methods = utility("_erase_methods")
    nvme = disk._replace(name="nvme0n1", path="/dev/nvme0n1", kind="nvme", transport="nvme")
    count = tmp_path / "count"
    tool(
        "nvme",
        f'case "$1" in sanitize) echo "$*" > {count}.call;; sanitize-log) echo x >> {count}; '
        f'[ $(wc -l < {count}) -gt 1 ] && s=1 || s=2; echo "{{\\"nvme0\\": {{\\"sstat\\": {{\\"status\\": \\"($s) words\\"}}}}}}";; esac\n',
    )
    methods.METHODS[0].run(methods.Job(nvme, time.monotonic() + 20))
    assert count.read_text().count("x") == 2
    assert "/dev/nvme0 " in (tmp_path / "count.call").read_text() + " "


def test_the_time_limit_ends_a_method(utility, disk) -> None:
    methods = utility("_erase_methods")
    with pytest.raises(methods.EraseProblem, match="time limit"):
        methods.Job(disk, time.monotonic() - 1).left()


def test_strongest_first_and_each_row_complete(utility) -> None:
    methods = utility("_erase_methods").METHODS
    assert [method.name for method in methods][:2] == ["nvme_sanitize_crypto", "nvme_sanitize_block"]
    assert [method.name for method in methods][-2:] == ["zeroout", "overwrite"]
    assert all(method.source for method in methods)
    assert [method.name for method in methods if method.zeros] == ["zeroout", "overwrite"]
